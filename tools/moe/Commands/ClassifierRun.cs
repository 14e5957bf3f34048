using Microsoft.ML;
using Microsoft.ML.Moe;
using MoeTool.Data;
using MoeTool.Settings;
using Spectre.Console;

namespace MoeTool.Commands;

/// <summary>The tables of a training.</summary>
/// <param name="Train">Rows to learn from.</param>
/// <param name="Validation">Rows that choose the best epoch, or null.</param>
/// <param name="Test">Rows to evaluate on.</param>
internal sealed record Tables(IDataView Train, IDataView? Validation, IDataView Test);

/// <summary>Trains a classifier, tests it, saves it, and shows what its routers do: the same for texts and images.</summary>
/// <param name="console">Where to.</param>
/// <param name="ml">Trains.</param>
/// <param name="settings">What the command line says.</param>
internal sealed class ClassifierRun(ToolConsole console, MLContext ml, ClassifierSettings settings)
{
    private const int Examples = 3;

    /// <summary>Runs it.</summary>
    /// <param name="tables">The data.</param>
    /// <param name="inputs">The columns of texts, or of images' paths.</param>
    /// <param name="options">The trainer's options: columns are set.</param>
    /// <param name="pipelineOf">Makes the steps up to the trainer, which gets the options.</param>
    public void Run(Tables tables, IReadOnlyList<string> inputs, MoeClassifierOptions options, Func<IEstimator<ITransformer>> pipelineOf)
    {
        var modelFile = OutputFile.Prepare(settings.Model, "--model");
        var reportFile = OutputFile.Prepare(settings.Report, "--report");
        console.ShowMessages(ml);
        using var training = new LiveTraining(console);
        options.ValidationSet = tables.Validation;
        training.Follow(options);
        settings.ApplyTo(options);
        options.Validate();
        var label = options.LabelColumnName;
        var labels = ShowSizes(tables, label);

        var pipeline = ml.Transforms.Conversion.MapValueToKey(label)
            .Append(pipelineOf())
            .Append(ml.Transforms.Conversion.MapKeyToValue("PredictedLabel"));
        var model = training.Run(() => pipeline.Fit(tables.Train));
        using var disposal = model;
        if (modelFile is not null)
            ml.Model.SaveAtomically(model, tables.Train.Schema, modelFile);

        var predictions = model.Transform(tables.Test);
        var result = TestResult.Of(ml, predictions, label, labels);
        ShowExamples(predictions, inputs, label, labels.Values.Sum());
        ShowRouters(model, predictions, label, reportFile);
        result.ShowDetails(console);
        console.Line(modelFile is null ? "The model was not kept: --model FILE says where it goes." : $"Model: {modelFile}");
        result.ShowTotals(console);
        console.Line($"Fit seconds: {training.Elapsed.TotalSeconds:0}");
    }

    // The test rows' labels.
    private Dictionary<string, long> ShowSizes(Tables tables, string label)
    {
        var sizes = new Table().Border(TableBorder.Simple).AddColumn("")
            .AddColumn(new TableColumn("rows").RightAligned()).AddColumn(new TableColumn("classes").RightAligned());
        var train = Add("training", tables.Train);
        if (tables.Validation is not null)
            Add("validation", tables.Validation);
        var test = Add("test", tables.Test);
        console.Output.Write(sizes);
        return train.Keys.Any(known => known.Length > 0 && test.ContainsKey(known))
            ? test
            : throw new UserException("No test row has a label that a training row has.");

        Dictionary<string, long> Add(string name, IDataView table)
        {
            var rows = Predictions.CountBy(table, label);
            if (rows.Count == 0)
                throw new UserException($"There are no {name} rows.");
            if (rows.Keys.All(of => of.Length == 0))
                throw new UserException($"The {name} rows have no labels.");
            sizes.AddRow(name, $"{rows.Values.Sum():N0}", $"{rows.Keys.Count(of => of.Length > 0):N0}");
            return rows;
        }
    }

    // Rows from all over the table: many tables are ordered by label.
    private void ShowExamples(IDataView predictions, IReadOnlyList<string> inputs, string label, long rows)
    {
        var step = Math.Max(1, rows / Examples);
        foreach (var (_, row) in Predictions.Read(predictions, inputs, label).Index().Where(row => row.Index % step == 0).Take(Examples))
        {
            foreach (var text in row.Texts)
                console.Line(text.Length <= 120 ? text : text[..119] + "…");
            var truth = row.Truth.Length == 0 ? ", which is wrong" : row.Truth == row.Label ? "" : $", in truth {row.Truth}";
            console.Line($"  → {row.Label} ({row.Probability * 100:0} %){truth}");
        }
    }

    private void ShowRouters(ITransformer model, IDataView test, string label, string? reportFile)
    {
        var classifier = SavedModel.StepsOf(model).OfType<MoeClassificationTransformer>().Single();
        if (reportFile is not null)
        {
            var report = classifier.ReportRouting(test);
            console.Write(report);
            report.SaveHtml(reportFile);
            console.Line($"Routing report: {reportFile}");
        }

        if (settings.CompareRouting)
            console.Write(classifier.CompareRouting(test, Routers.WorthComparing(classifier.Router), label));
    }
}
