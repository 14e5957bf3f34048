using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Moe.Evaluation;
using MoeTool.Data;
using MoeTool.Settings;
using Spectre.Console.Cli;

namespace MoeTool.Commands;

/// <summary>Tells what generated texts are worth.</summary>
internal sealed class EvaluateTextCommand(ToolConsole console) : Command<EvaluateTextSettings>
{
    private const string Label = "Label";
    private readonly MLContext _ml = new();

    public override int Execute(CommandContext context, EvaluateTextSettings settings, CancellationToken cancellationToken)
    {
        var file = DelimitedFile.Open(settings.Data);
        object result = settings.Task switch
        {
            TextTask.Squad => TextEvaluation.Squad(Predictions(file, settings), cancellationToken: cancellationToken),
            TextTask.Rouge => TextEvaluation.Rouge(
                Predictions(file, settings), useStemmer: settings.Stem, cancellationToken: cancellationToken),
            TextTask.Gsm8k => TextEvaluation.Gsm8k(Pairs(file, settings), cancellationToken: cancellationToken),
            TextTask.PassAtK => TextEvaluation.PassAtK(
                Converted(
                    file.Load(
                        _ml,
                        new SourceColumn(settings.TaskId, "TaskId", "--task-id"),
                        new SourceColumn(settings.Passed, "Passed", "--passed")),
                    DataKind.Boolean,
                    "Passed"),
                k: settings.Samples.Length > 0 ? settings.Samples : null,
                cancellationToken: cancellationToken),
            TextTask.Perplexity => Perplexity(file, settings, cancellationToken),
            var task => TextEvaluation.Glue(
                Pairs(file, settings), Enum.Parse<GlueTask>(task.ToString()), cancellationToken: cancellationToken),
        };
        console.Line(result.ToString()!);
        return 0;
    }

    private PerplexityMetrics Perplexity(DelimitedFile file, EvaluateTextSettings settings, CancellationToken stop)
    {
        SourceColumn[] columns =
        [
            new SourceColumn(settings.LogProbability, "LogProbability", "--log-probability"),
            new SourceColumn(settings.TokenCount, "TokenCount", "--token-count"),
        ];
        var rows = file.Load(_ml, settings.Text is { } text ? [.. columns, new SourceColumn(text, "Text", "--text")] : columns);
        return TextEvaluation.Perplexity(
            Converted(rows, DataKind.Double, "LogProbability", "TokenCount"),
            textColumnName: settings.Text is null ? null : "Text",
            cancellationToken: stop);
    }

    private IDataView Pairs(DelimitedFile file, EvaluateTextSettings settings) => settings.References.Length > 1
        ? throw new UserException($"--task {settings.Task.ToString().ToLowerInvariant()} takes one --reference.")
        : file.Load(_ml, Prediction(settings), Reference(settings.References.FirstOrDefault(Label), Label));

    // One column stays text, in which an empty text is a right one; several become a vector, in which it is none.
    private IDataView Predictions(DelimitedFile file, EvaluateTextSettings settings)
    {
        if (settings.References.Length <= 1)
            return Pairs(file, settings);
        var references = settings.References.Select((name, i) => Reference(name, $"{Label}{i}")).ToList();
        var rows = file.Load(_ml, [Prediction(settings), .. references]);
        return _ml.Transforms.Concatenate(Label, [.. references.Select(r => r.Name)]).Fit(rows).Transform(rows);
    }

    private IDataView Converted(IDataView rows, DataKind kind, params IEnumerable<string> columns) =>
        columns.Aggregate(rows, (table, name) => _ml.Transforms.Conversion.ConvertType(name, outputKind: kind).Fit(table).Transform(table));

    private static SourceColumn Prediction(EvaluateTextSettings settings) => new(settings.Prediction, "Prediction", "--prediction");

    private static SourceColumn Reference(string source, string name) => new(source, name, "--reference");
}
