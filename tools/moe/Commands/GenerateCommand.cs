using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Moe;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Routing;
using MoeTool.Data;
using MoeTool.Settings;
using Spectre.Console.Cli;

namespace MoeTool.Commands;

/// <summary>Answers texts with a published language model.</summary>
internal sealed class GenerateCommand(ToolConsole console) : AsyncCommand<GenerateSettings>
{
    private const string Text = "Text";
    private const string Answer = "Answer";
    private const string LogProbability = "LogProbability";
    private const string Tokens = "Tokens";

    public override async Task<int> ExecuteAsync(CommandContext context, GenerateSettings settings, CancellationToken cancellationToken)
    {
        if (settings.Perplexity && settings.In is null)
            throw new UserException("--perplexity needs --in, a table with texts.");
        var outFile = OutputFile.Prepare(settings.Out, "--out");
        var ml = new MLContext();
        var rows = settings.In is { } file
            ? DelimitedFile.Open(file).Load(ml, new SourceColumn(settings.Text, Text, "--text"))
            : ml.Data.LoadFromEnumerable(Array.Empty<Prompt>());
        using var loaded = ml.Transforms.Text
            .GenerateText(Answer, Text, settings.Published, ToOptions(settings))
            .Fit(rows);
        using var rerouted = settings.Router is null && settings.ExpertsPerToken is null ? null : loaded.WithRouting(RouterOf(settings, loaded.Router));
        var model = rerouted ?? loaded;
        if (settings.Perplexity)
            return Measure(model, rows, cancellationToken);
        if (settings.In is not null)
            return WriteTable(model, rows, outFile);
        foreach (var prompt in settings.Prompt is { } one ? [one] : Lines())
            await AnswerAsync(model, prompt, cancellationToken).ConfigureAwait(false);
        return 0;
    }

    private static GenerateTextOptions ToOptions(GenerateSettings settings) => new()
    {
        Generation = settings.ToGeneration(GenerationOptions.Read(settings.Model)),
        LogProbabilityColumnName = LogProbability,
        TokenCountColumnName = Tokens,
        Weights = settings.Weights,
        Device = settings.Device,
    };

    private static Router RouterOf(GenerateSettings settings, Router own)
    {
        var router = Routers.Changed(own, settings.Router, settings.ExpertsPerToken);
        return router.Kind == RouterKind.Unified ? router with { Scope = RoutingScope.Prefix } : router;
    }

    private int Measure(MoeTextGenerationTransformer model, IDataView rows, CancellationToken stop)
    {
        var score = model.Evaluate(rows, cancellationToken: stop);
        console.Line(FormattableString.Invariant($"Tokens: {score.Tokens}"));
        console.Line(FormattableString.Invariant($"Experts per token: {score.ExpertsPerToken:0.00}"));
        console.Line(FormattableString.Invariant($"Bits per character: {score.BitsPerCharacter:0.0000}"));
        console.Line(FormattableString.Invariant($"Perplexity: {score.Perplexity:0.0000}"));
        return 0;
    }

    private int WriteTable(MoeTextGenerationTransformer model, IDataView rows, string? outFile)
    {
        var table = model.Transform(rows);
        var lines = table.GetColumn<string>(Text)
            .Zip(table.GetColumn<string>(Answer), table.GetColumn<float>(LogProbability))
            .Zip(table.GetColumn<int>(Tokens), (row, count) => FormattableString.Invariant(
                $"{Predictions.Field(row.First)}\t{Predictions.Field(row.Second)}\t{row.Third:R}\t{count}"))
            .Prepend($"{Text}\t{Answer}\t{LogProbability}\t{Tokens}");
        OutputFile.Write(console, lines, outFile, "Answers");
        return 0;
    }

    private async Task AnswerAsync(MoeTextGenerationTransformer model, string prompt, CancellationToken stop)
    {
        var writer = console.Output.Profile.Out.Writer;
        if (model.Generation.Beams > 1)
        {
            await writer.WriteLineAsync(model.Generate([prompt], cancellationToken: stop)[0].Text).ConfigureAwait(false);
            return;
        }

        await foreach (var piece in model.GenerateStreaming(prompt, cancellationToken: stop).ConfigureAwait(false))
        {
            await writer.WriteAsync(piece).ConfigureAwait(false);
            await writer.FlushAsync(stop).ConfigureAwait(false);
        }

        await writer.WriteLineAsync().ConfigureAwait(false);
    }

    private IEnumerable<string> Lines()
    {
        while (console.Input.ReadLine() is { } line)
            yield return line;
    }

    /// <summary>A row of no table.</summary>
    private sealed class Prompt
    {
        public string Text { get; set; } = "";
    }
}
