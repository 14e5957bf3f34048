using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Spectre.Console;

namespace TextClassification;

/// <summary>What the program shows besides the progress of training.</summary>
internal static class Display
{
    private const int WorstClasses = 5;

    static Display()
    {
        if (!IsTerminal)
            AnsiConsole.Profile.Width = 1000; // lines in a file are not folded
    }

    /// <summary>Whether somebody may be watching, so that a line may change after it was written.</summary>
    public static bool IsTerminal { get; } = !Console.IsOutputRedirected && AnsiConsole.Profile.Capabilities.Interactive;

    /// <summary>Writes a line, above the progress bar if there is one.</summary>
    public static void Line(string text = "") => AnsiConsole.WriteLine(text);

    /// <summary>Shows what the trainer says while it works.</summary>
    public static void ShowMessages(MLContext ml) => ml.Log += (_, message) =>
    {
        if (message.Kind >= ChannelMessageKind.Info && message.Source.Contains("Moe", StringComparison.Ordinal))
            Line((message.Kind == ChannelMessageKind.Info ? "" : $"{message.Kind}: ") + message.RawMessage);
    };

    /// <summary>Shows how many rows and classes there are.</summary>
    /// <exception cref="UserException">There is nothing to train or to test on.</exception>
    public static void ShowSizes(MLContext ml, Tables tables)
    {
        var sizes = new Table().Border(TableBorder.Simple)
            .AddColumn("").AddColumn(RightAligned("rows")).AddColumn(RightAligned("classes"));
        var train = Add("training", tables.Train);
        if (tables.Validation is not null)
            Add("validation", tables.Validation);
        var test = Add("test", tables.Test);
        AnsiConsole.Write(sizes);
        var unknown = test.Where(label => !train.ContainsKey(label.Key)).Sum(label => label.Value);
        if (unknown == test.Values.Sum())
            throw new UserException("No test row has a label that a training row has.");
        if (unknown > 0)
            Line($"{unknown:N0} test rows have a label that no training row has; they are not counted in the test metrics.");

        Dictionary<string, int> Add(string name, IDataView table)
        {
            var rows = ml.Data.CreateEnumerable<Example>(table, reuseRowObject: true).CountBy(row => row.Label).ToDictionary();
            var labels = rows.Where(label => label.Key.Length > 0).ToDictionary();
            if (rows.Count == 0)
                throw new UserException($"There are no {name} rows.");
            if (labels.Count == 0)
                throw new UserException($"The {name} rows have no labels.");
            sizes.AddRow(name, $"{rows.Values.Sum():N0}", $"{labels.Count:N0}");
            return labels;
        }
    }

    /// <summary>Shows the metrics of a test, and the classes that are found least often.</summary>
    /// <param name="metrics">The metrics.</param>
    /// <param name="label">The label column, whose keys are the classes.</param>
    public static void ShowMetrics(MulticlassClassificationMetrics metrics, DataViewSchema.Column label)
    {
        VBuffer<ReadOnlyMemory<char>> names = default;
        label.GetKeyValues(ref names);
        var classes = names.DenseValues().Select(name => name.ToString()).ToArray();
        var matrix = metrics.ConfusionMatrix;
        var rows = matrix.Counts.Select(counts => counts.Sum()).ToArray();

        Line();
        Line($"Test accuracy: {metrics.MicroAccuracy * 100:0.0} %");
        Line($"Mean accuracy of the classes: {metrics.MacroAccuracy * 100:0.0} %");
        Line($"Log-loss: {metrics.LogLoss:0.000}");
        var worst = new Table().Border(TableBorder.Simple).AddColumn("hardest classes")
            .AddColumn(RightAligned("rows")).AddColumn(RightAligned("found")).AddColumn(RightAligned("right when named"));
        var (recall, precision) = (matrix.PerClassRecall, matrix.PerClassPrecision);
        foreach (var i in Enumerable.Range(0, classes.Length).Where(i => rows[i] > 0).OrderBy(i => recall[i]).Take(WorstClasses))
            worst.AddRow(Markup.Escape(classes[i]), $"{rows[i]:N0}", Percent(recall[i]), Percent(precision[i]));
        AnsiConsole.Write(worst);

        static string Percent(double share) => double.IsNaN(share) ? "–" : $"{share * 100:0} %";
    }

    public static void ShowFitTime(TimeSpan elapsed) => Line($"Fit seconds: {elapsed.TotalSeconds:0}");

    /// <summary>Shows a prediction with its probability, and the true label where it is another.</summary>
    public static void ShowPrediction(Example example, Prediction prediction)
    {
        var truth = prediction.PredictedLabel == example.Label ? "" : $", in truth {example.Label}";
        Line($"\"{Shortened(example.Text)}\"");
        Line($"  → {prediction.PredictedLabel} ({prediction.Score.Max() * 100:0} %){truth}");
    }

    public static void ShowFiles(Tables tables, Arguments arguments)
    {
        Line();
        Line($"Model: {arguments.Model}");
        if (arguments.Report is not null)
            Line($"Routing report: {arguments.Report}");
        if (tables.Folder is not null)
            Line($"Tables: {tables.Folder} (train.tsv, validation.tsv, test.tsv)");
    }

    private static string Shortened(string text) => text.Length <= 120 ? text : text[..119] + "…";

    private static TableColumn RightAligned(string header) => new TableColumn(header).RightAligned();
}
