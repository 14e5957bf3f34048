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
        using var rerouted = settings is { Router: null, ExpertsPerToken: null, Alpha: null } ? null : loaded.WithRouting(RouterOf(settings, loaded.Router));
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
        if (router.Kind != RouterKind.Unified)
            return settings.Alpha is null ? router : throw new UserException("--alpha is of --router unified.");
        // the layer keeps its scale: see Router.Normalization
        var normalization = own.Kind == RouterKind.Unified ? own.Normalization
            : own.Normalization == WeightNormalization.None ? WeightNormalization.None
            : WeightNormalization.Selected;
        return router with { Scope = RoutingScope.Prefix, Alpha = settings.Alpha ?? router.Alpha, Normalization = normalization };
    }

    /// <summary>The lines of a table with answers, its header first; the table is read once.</summary>
    internal static IEnumerable<string> LinesOf(IDataView table)
    {
        yield return $"{Text}\t{Answer}\t{LogProbability}\t{Tokens}";
        var (text, answer, logProbability, tokens) = (table.Schema[Text], table.Schema[Answer], table.Schema[LogProbability], table.Schema[Tokens]);
        using var cursor = table.GetRowCursor([text, answer, logProbability, tokens]);
        var (textOf, answerOf) = (Predictions.TextOf(cursor, text), Predictions.TextOf(cursor, answer));
        var (readLogProbability, readTokens) = (cursor.GetGetter<float>(logProbability), cursor.GetGetter<int>(tokens));
        var (sum, count) = (0f, 0);
        while (cursor.MoveNext())
        {
            readLogProbability(ref sum);
            readTokens(ref count);
            yield return FormattableString.Invariant($"{Predictions.Field(textOf())}\t{Predictions.Field(answerOf())}\t{sum:R}\t{count}");
        }
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
        OutputFile.Write(console, LinesOf(model.Transform(rows)), outFile, "Answers");
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
