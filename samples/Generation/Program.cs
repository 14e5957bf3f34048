// Continue texts with a published mixture of experts, and find a router that needs fewer experts.
using Microsoft.ML;
using Microsoft.ML.Moe;
using Microsoft.ML.Moe.Generation;

if (args.Length == 0)
{
    Console.WriteLine("Usage: dotnet run -c Release --project samples/Generation -- FOLDER [PROMPT]");
    Console.WriteLine("FOLDER has the files of a published model: hf download allenai/OLMoE-1B-7B-0924 --local-dir models/olmoe");
    return;
}

var ml = new MLContext(seed: 1);
var prompt = args.Length > 1 ? args[1] : "The river bends twice before it reaches the sea, and";

// Pipeline: the model answers the texts of a column. Nothing is trained, so an empty table is enough to fit it.
var nothing = ml.Data.LoadFromEnumerable(Array.Empty<Prompt>());
using var model = ml.Transforms.Text.GenerateText("Answer", "Text", PublishedModel.FromFolder(args[0]), new GenerateTextOptions
{
    Generation = GenerationOptions.Read(args[0]) with { MaximumNewTokens = 40 },
    LogProbabilityColumnName = "LogProbability",
    KeepsWeightsInFolder = true, // the zip names the folder: some kilobytes instead of gigabytes
}).Fit(nothing);

// Token by token, as it is written.
Console.Write(prompt);
await foreach (var piece in model.GenerateStreaming(prompt))
    Console.Write(piece);
Console.WriteLine();

// A table, in batches.
var table = ml.Data.LoadFromEnumerable([new Prompt { Text = prompt }, new Prompt { Text = "Once upon a time" }]);
foreach (var row in ml.Data.CreateEnumerable<Answered>(model.Transform(table), reuseRowObject: false))
    Console.WriteLine($"{row.Text} → {row.Answer} ({row.LogProbability:0.0})");

// Re-route without training: the best routers at three quarters of the experts, by their loss on these texts.
if (model.Experts == 0)
{
    Console.WriteLine("The model is dense: there is nothing to re-route.");
}
else if (model.Router.ExpertsPerToken == 1)
{
    Console.WriteLine("Each token has one expert already: there is nothing to save.");
}
else
{
    var own = model.Evaluate(table);
    Console.WriteLine($"{own.ExpertsPerToken:0.00} experts per token, perplexity {own.Perplexity:0.000}: {model.Router}");
    var routers = model.CalibrateRouting(table, expertsPerToken: 0.75 * model.Router.ExpertsPerToken);
    foreach (var (router, score) in routers.Take(3))
        Console.WriteLine($"{score.ExpertsPerToken:0.00} experts per token, perplexity {score.Perplexity:0.000}: {router}");
    using var frugal = model.WithRouting(routers[0].Router);
    Console.WriteLine($"{prompt}{frugal.Generate([prompt])[0].Text}");
}

// Save, and load as any program would.
var path = Path.Combine(AppContext.BaseDirectory, "generator.zip");
ml.Model.Save(model, nothing.Schema, path);
using var loaded = (IDisposable)ml.Model.Load(path, out _);
Console.WriteLine($"Model: {path}");

/// <summary>A row to be continued.</summary>
internal sealed class Prompt
{
    public string Text { get; set; } = "";
}

/// <summary>A row that was continued.</summary>
internal sealed class Answered
{
    public string Text { get; set; } = "";

    public string Answer { get; set; } = "";

    public float LogProbability { get; set; }
}
