using Microsoft.ML;
using Microsoft.ML.Moe;
using MoeTool.Data;
using MoeTool.Settings;
using Spectre.Console.Cli;

namespace MoeTool.Commands;

/// <summary>Tests a saved classifier.</summary>
internal sealed class EvaluateCommand(ToolConsole console) : Command<EvaluateSettings>
{
    public override int Execute(CommandContext context, EvaluateSettings settings, CancellationToken cancellationToken)
    {
        var ml = new MLContext();
        using var model = SavedClassifier.Load(ml, settings);
        var rows = model.Read(settings.Data, settings.Label, needsLabel: true);
        var result = TestResult.Of(ml, model.Transform(rows), model.Label, Predictions.CountBy(rows, model.Label));
        result.ShowDetails(console);
        result.ShowTotals(console);
        return 0;
    }
}

/// <summary>Predicts with a saved classifier.</summary>
internal sealed class PredictCommand(ToolConsole console) : Command<PredictSettings>
{
    // Lines of another program are scored together; a line that is typed is answered at once.
    private const int LinesTogether = 256;
    private const string Header = "PredictedLabel\tProbability\t";

    public override int Execute(CommandContext context, PredictSettings settings, CancellationToken cancellationToken)
    {
        var outFile = OutputFile.Prepare(settings.Out, "--out");
        var ml = new MLContext();
        using var model = SavedClassifier.Load(ml, settings);
        var predictions = settings.Data is null
            ? Lines().Chunk(console.InputIsTyped ? 1 : LinesTogether).SelectMany(lines => Predict(model, model.Of(lines)))
            : Predict(model, model.Read(settings.Data, label: null, needsLabel: false));
        var lines = predictions.Select(Line).Prepend(Header + string.Join('\t', model.Inputs));
        OutputFile.Write(console, lines, outFile, "Predictions");
        return 0;
    }

    private static IEnumerable<Predicted> Predict(SavedClassifier model, IDataView rows) =>
        Predictions.Read(model.Transform(rows), model.Inputs, model.Label);

    private static string Line(Predicted row) =>
        FormattableString.Invariant($"{Predictions.Field(row.Label)}\t{row.Probability:0.0000}\t")
        + $"{string.Join('\t', row.Texts.Select(Predictions.Field))}";

    private IEnumerable<string> Lines()
    {
        while (console.Input.ReadLine() is { } line)
            yield return line;
    }
}

/// <summary>Shows what the routers of a saved classifier do.</summary>
internal sealed class ReportCommand(ToolConsole console) : Command<ReportSettings>
{
    public override int Execute(CommandContext context, ReportSettings settings, CancellationToken cancellationToken)
    {
        var page = OutputFile.Prepare(settings.Html, "--html");
        var ml = new MLContext();
        using var model = SavedClassifier.Load(ml, settings);
        var rows = model.Prepared(model.Read(settings.Data, settings.Label, settings.Compare));
        var report = model.Report(rows, cancellationToken);
        console.Write(report);
        if (settings.Compare)
            console.Write(model.Compare(rows));
        if (page is not null)
        {
            report.SaveHtml(page);
            console.Line($"Routing report: {page}");
        }

        return 0;
    }
}
