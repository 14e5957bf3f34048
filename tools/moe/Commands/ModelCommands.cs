using Microsoft.ML;
using Microsoft.ML.Moe;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
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
        using var saved = SavedModel.Load(ml, settings.Model);
        if (saved.IsOfFeatures)
        {
            var table = new SavedTable(ml, saved);
            var labelled = table.Read(settings.Data, settings.Label, needsLabel: true);
            TableResult.Show(console, ml, table.Task, labelled, table.Transform(labelled));
            return 0;
        }

        var model = new SavedClassifier(ml, settings, saved);
        var rows = model.Read(settings.Data, settings.Label, needsLabel: true);
        var labels = Predictions.CountBy(rows, model.Label);
        var result = TestResult.Of(
            ml, model.Transform(rows), model.Label, labels, isWritten: model.Classifier is MoeTextToTextClassificationTransformer);
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

    public override int Execute(CommandContext context, PredictSettings settings, CancellationToken cancellationToken)
    {
        var outFile = OutputFile.Prepare(settings.Out, "--out");
        var ml = new MLContext();
        using var saved = SavedModel.Load(ml, settings.Model);
        if (saved.IsOfFeatures)
        {
            if (settings.Data is null)
                throw new UserException("A model of tables needs --data: a table with the columns that it was trained on.");
            var table = new SavedTable(ml, saved);
            OutputFile.Write(console, table.Predict(table.Read(settings.Data, label: null, needsLabel: false)), outFile, "Predictions");
            return 0;
        }

        var model = new SavedClassifier(ml, settings, saved);
        var predictions = settings.Data is null
            ? Lines().Chunk(console.InputIsTyped ? 1 : LinesTogether).SelectMany(lines => Predict(model, model.Of(lines)))
            : Predict(model, model.Read(settings.Data, label: null, needsLabel: false));
        var lines = predictions.Select(row => Predictions.Line(row.Label, row.Probability, row.Texts)).Prepend(Predictions.Header + string.Join('\t', model.Inputs));
        OutputFile.Write(console, lines, outFile, "Predictions");
        return 0;
    }

    private static IEnumerable<Predicted> Predict(SavedClassifier model, IDataView rows) =>
        Predictions.Read(model.Transform(rows), model.Inputs, model.Label);

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
        using var saved = SavedModel.Load(ml, settings.Model);
        var (report, comparisons) = saved.IsOfFeatures
            ? OfTable(new SavedTable(ml, saved), settings, cancellationToken)
            : OfClassifier(new SavedClassifier(ml, settings, saved), settings, cancellationToken);
        console.Write(report);
        if (comparisons is not null)
            console.Write(comparisons);
        if (page is not null)
        {
            report.SaveHtml(page);
            console.Line($"Routing report: {page}");
        }

        return 0;
    }

    private static (RoutingReport Report, IReadOnlyList<RoutingComparison>? Comparisons) OfTable(
        SavedTable model, ReportSettings settings, CancellationToken stop)
    {
        var rows = model.Read(settings.Data, settings.Label, settings.Compare);
        return (model.Report(rows, stop), settings.Compare ? model.Compare(rows) : null);
    }

    private static (RoutingReport Report, IReadOnlyList<RoutingComparison>? Comparisons) OfClassifier(
        SavedClassifier model, ReportSettings settings, CancellationToken stop)
    {
        var rows = model.Prepared(model.Read(settings.Data, settings.Label, settings.Compare));
        return (model.Report(rows, stop), settings.Compare ? model.Compare(rows) : null);
    }
}
