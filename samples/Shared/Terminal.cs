using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Spectre.Console;

namespace Samples;

/// <summary>What the samples show alike, besides the progress of training.</summary>
internal static class Terminal
{
    private const int WorstClasses = 5;

    static Terminal()
    {
        if (!IsInteractive)
            AnsiConsole.Profile.Width = 1000; // lines in a file are not folded
    }

    /// <summary>Whether somebody may be watching, so that a line may change after it was written.</summary>
    public static bool IsInteractive { get; } = !Console.IsOutputRedirected && AnsiConsole.Profile.Capabilities.Interactive;

    /// <summary>Writes a line, above the progress bar if there is one.</summary>
    public static void Line(string text = "") => AnsiConsole.WriteLine(text);

    /// <summary>Shows what the trainer says while it works.</summary>
    public static void ShowMessages(MLContext ml) => ml.Log += (_, message) =>
    {
        if (message.Kind >= ChannelMessageKind.Info && message.Source.Contains("Moe", StringComparison.Ordinal))
            Line((message.Kind == ChannelMessageKind.Info ? "" : $"{message.Kind}: ") + message.RawMessage);
    };

    /// <summary>The classes behind a label column's keys.</summary>
    public static string[] ClassNames(DataViewSchema.Column label)
    {
        VBuffer<ReadOnlyMemory<char>> names = default;
        label.GetKeyValues(ref names);
        return [.. names.DenseValues().Select(name => name.ToString())];
    }

    /// <summary>Shows a predicted label with its probability, and the true one where it is another.</summary>
    public static void ShowPredicted(string predicted, float[] score, string label)
    {
        var truth = predicted == label ? "" : $", in truth {label}";
        Line($"  → {predicted} ({score.Max() * 100:0} %){truth}");
    }

    /// <summary>Shows the metrics of a test, and the classes that are found least often.</summary>
    /// <param name="metrics">The metrics.</param>
    /// <param name="label">The label column, whose keys are the classes.</param>
    public static void ShowMetrics(MulticlassClassificationMetrics metrics, DataViewSchema.Column label)
    {
        var classes = ClassNames(label);
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

    /// <summary>A table's column of numbers.</summary>
    public static TableColumn RightAligned(string header) => new TableColumn(header).RightAligned();
}
