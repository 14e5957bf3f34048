using Microsoft.ML;
using Samples;
using Spectre.Console;
using static Samples.Terminal;

namespace TextClassification;

/// <summary>What the program shows besides the progress of training.</summary>
internal static class Display
{
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

    /// <summary>Shows a prediction with its probability, and the true label where it is another.</summary>
    public static void ShowPrediction(Example example, Prediction prediction)
    {
        Line($"\"{Shortened(example.Text)}\"");
        ShowPredicted(prediction.PredictedLabel, prediction.Score, example.Label);
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
}
