using Microsoft.ML;
using Microsoft.ML.Data;
using Spectre.Console;
using static Samples.Terminal;

namespace ImageClassification;

/// <summary>What the program shows besides the progress of training and the metrics.</summary>
internal static class Display
{
    private const int ConfusionsShown = 5;

    /// <summary>Shows how many images there are to train and to test on.</summary>
    public static void ShowSizes<TExample>(Examples<TExample> examples)
        where TExample : Example => Line($"{examples.Train.Count:N0} images to learn from, {examples.Test.Count:N0} to test on.");

    /// <summary>Shows which classes are most often taken for which.</summary>
    public static void ShowConfusions(MulticlassClassificationMetrics metrics, DataViewSchema.Column label)
    {
        var classes = ClassNames(label);
        var counts = metrics.ConfusionMatrix.Counts;
        var confusions = counts.Index()
            .SelectMany(row => row.Item.Index().Select(cell => (Truth: row.Index, Said: cell.Index, Count: cell.Item)))
            .Where(c => c.Truth != c.Said && c.Count > 0).OrderByDescending(c => c.Count).Take(ConfusionsShown).ToList();
        if (confusions.Count == 0)
            return;
        var table = new Table().Border(TableBorder.Simple).AddColumn("in truth").AddColumn("taken for").AddColumn(RightAligned("images"));
        foreach (var (truth, said, count) in confusions)
            table.AddRow(Markup.Escape(classes[truth]), Markup.Escape(classes[said]), $"{count:N0}");
        AnsiConsole.Write(table);
    }

    /// <summary>Shows a prediction with its probability, and the true label where it is another.</summary>
    public static void ShowPrediction(Example example, Prediction prediction)
    {
        Line();
        Line(example.Name);
        ShowPredicted(prediction.PredictedLabel, prediction.Score, example.Label);
    }
}
