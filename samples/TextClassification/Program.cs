// From a sentence of the .NET documentation, tell the namespace that it is about.
using System.Diagnostics;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Moe;
using Microsoft.ML.Moe.Training;
using Microsoft.ML.Runtime;
using Samples;

var ml = new MLContext(seed: 1);
ml.Log += (_, message) =>
{
    if (message.Kind != ChannelMessageKind.Trace && message.Source.Contains("Moe", StringComparison.Ordinal))
        Console.WriteLine(message.RawMessage); // one line for each stage and epoch
};

// Load: three tab-separated files with the columns Label and Text. Three rows of ten are enough for a published encoder.
var files = DotNetDocs.Sentences(share: args.Contains("--all-rows") ? 1 : 0.3);
var train = ml.Data.LoadFromTextFile<Sentence>(files.Train, hasHeader: true);
var validation = ml.Data.LoadFromTextFile<Sentence>(files.Validation, hasHeader: true);
var test = ml.Data.LoadFromTextFile<Sentence>(files.Test, hasHeader: true);

// Pipeline: labels to keys, the trainer, which reads text as it is, and keys back to labels.
var pipeline = ml.Transforms.Conversion.MapValueToKey("Label")
    .Append(ml.MulticlassClassification.Trainers.MoeTextClassifier(new MoeTextClassificationTrainer.Options
    {
        Sentence1ColumnName = "Text",
        ValidationSet = validation,
        Encoder = args.Contains("--from-scratch") ? null : PublishedEncoder.MiniLM,
        FineTuning = FineTuning.None, // FineTuning.Auto, the default, gains a little more in some minutes more
    }))
    .Append(ml.Transforms.Conversion.MapKeyToValue("PredictedLabel"));

// Train, and evaluate on sentences about types that the trainer has not seen.
var clock = Stopwatch.StartNew();
var model = pipeline.Fit(train);
clock.Stop();
var metrics = ml.MulticlassClassification.Evaluate(model.Transform(test));
Console.WriteLine($"Test accuracy: {metrics.MicroAccuracy * 100:0.0} %");
Console.WriteLine($"Mean accuracy of the classes: {metrics.MacroAccuracy * 100:0.0} %");
Console.WriteLine($"Log-loss: {metrics.LogLoss:0.000}");
Console.WriteLine($"Fit seconds: {clock.Elapsed.TotalSeconds:0}");

// Save, and load as any program would that has only the file.
var path = Path.Combine(AppContext.BaseDirectory, "namespaces.zip");
ml.Model.Save(model, train.Schema, path);
var loaded = ml.Model.Load(path, out _);
Console.WriteLine($"Model: {path}");

// Predict.
using var engine = ml.Model.CreatePredictionEngine<Sentence, Prediction>(loaded);
foreach (var text in new[]
{
    "Blocks the caller until the semaphore is released by another worker.",
    "Encrypts a message with the public key of the certificate's owner.",
    "Adds middleware that redirects unencrypted requests to HTTPS.",
})
{
    var prediction = engine.Predict(new Sentence { Text = text });
    Console.WriteLine($"{text}\n  → {prediction.PredictedLabel} ({prediction.Score.Max() * 100:0} %)");
}

/// <summary>A row of the files.</summary>
internal sealed class Sentence
{
    [LoadColumn(0)]
    public string Label { get; set; } = "";

    [LoadColumn(1)]
    public string Text { get; set; } = "";
}

/// <summary>What the model says about a row; <c>Score</c> holds the probability of each label.</summary>
internal sealed class Prediction
{
    public string PredictedLabel { get; set; } = "";

    public float[] Score { get; set; } = [];
}
