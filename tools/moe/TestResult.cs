using Microsoft.ML;
using Microsoft.ML.Data;
using Spectre.Console;

namespace MoeTool;

/// <summary>What a classifier made of labelled rows. A label that it has never seen counts as wrong.</summary>
internal sealed class TestResult
{
    private const int Worst = 5;

    private readonly MulticlassClassificationMetrics _metrics;
    private readonly string[] _classes;
    private readonly IReadOnlyDictionary<string, long> _unknown;
    private readonly double[] _rows;
    private readonly double[] _recall;
    private readonly double _unread;

    private TestResult(
        MulticlassClassificationMetrics metrics,
        string[] classes,
        IReadOnlyDictionary<string, long> unknown,
        IReadOnlyDictionary<string, long>? labels)
    {
        (_metrics, _classes, _unknown) = (metrics, classes, unknown);
        double[][] counts = [.. metrics.ConfusionMatrix.Counts.Select(row => row.ToArray())];
        _rows = [.. counts.Select((row, c) => labels?.GetValueOrDefault(classes[c]) ?? row.Sum())];
        _recall = [.. counts.Select((row, c) => row[c] / _rows[c])];
        _unread = _rows.Sum() - counts.Sum(row => row.Sum());
        Accuracy = counts.Select((row, c) => row[c]).Sum() / (_rows.Sum() + unknown.Values.Sum());
        var found = _recall.Where((_, c) => _rows[c] > 0).ToList();
        MacroAccuracy = found.Sum() / (found.Count + unknown.Count);
    }

    /// <summary>Share of the rows that are predicted right.</summary>
    public double Accuracy { get; }

    /// <summary>Mean over the classes of the share of their rows that are predicted right.</summary>
    public double MacroAccuracy { get; }

    /// <summary>Mean −ln of the true label's probability, over the rows whose label the classifier knows.</summary>
    public double LogLoss => _metrics.LogLoss;

    /// <summary>Measures.</summary>
    /// <param name="ml">Measures.</param>
    /// <param name="predictions">Rows with predictions.</param>
    /// <param name="label">The column of labels: keys, missing where the classifier does not know it.</param>
    /// <param name="labels">How many rows have which label.</param>
    /// <param name="isWritten">Whether classes are told by what a model writes: a row to which it writes no class's text is wrong.</param>
    /// <exception cref="UserException">No label is known.</exception>
    public static TestResult Of(
        MLContext ml, IDataView predictions, string label, IReadOnlyDictionary<string, long> labels, bool isWritten = false)
    {
        VBuffer<ReadOnlyMemory<char>> names = default;
        predictions.Schema[label].GetKeyValues(ref names);
        string[] classes = [.. names.DenseValues().Select(name => name.ToString())];
        var unknown = labels.Where(count => count.Key.Length > 0 && !classes.Contains(count.Key)).ToDictionary();
        if (labels.All(count => count.Key.Length == 0 || unknown.ContainsKey(count.Key)))
            throw new UserException("No test row has a label that a training row has.");
        return new TestResult(ml.MulticlassClassification.Evaluate(predictions, labelColumnName: label), classes, unknown, isWritten ? labels : null);
    }

    /// <summary>Shows the classes that are found least often, what is most often taken for what, and what the model cannot know.</summary>
    public void ShowDetails(ToolConsole console)
    {
        var (matrix, precision) = (_metrics.ConfusionMatrix, _metrics.ConfusionMatrix.PerClassPrecision);
        var worst = Table("hardest classes", "rows", "found", "right when named");
        foreach (var i in Enumerable.Range(0, _classes.Length).Where(i => _rows[i] > 0).OrderBy(i => _recall[i]).Take(Worst))
            worst.AddRow(Markup.Escape(_classes[i]), $"{_rows[i]:N0}", Percent(_recall[i]), Percent(precision[i]));
        console.Output.Write(worst);

        var confusions = matrix.Counts.Index()
            .SelectMany(row => row.Item.Index().Select(cell => (Truth: row.Index, Said: cell.Index, Count: cell.Item)))
            .Where(cell => cell.Truth != cell.Said && cell.Count > 0).OrderByDescending(cell => cell.Count).Take(Worst).ToList();
        if (confusions.Count > 0)
        {
            var taken = Table("in truth → taken for", "rows");
            foreach (var (truth, said, count) in confusions)
                taken.AddRow(Markup.Escape($"{_classes[truth]} → {_classes[said]}"), $"{count:N0}");
            console.Output.Write(taken);
        }

        if (_unknown.Count > 0)
        {
            console.Line(
                $"{_unknown.Values.Sum():N0} rows have a label that no training row has, {Quoted(_unknown.Keys)}: they count as wrong, and are "
                + "left out of the log-loss.");
        }

        if (_unread > 0)
            console.Line($"To {_unread:N0} rows a text was written that is no class's: they count as wrong, and are left out of the log-loss.");
        console.Line($"Mean accuracy of the classes: {MacroAccuracy * 100:0.0} %");
    }

    /// <summary>Shows accuracy and log-loss, each on a line.</summary>
    public void ShowTotals(ToolConsole console)
    {
        console.Line($"Test accuracy: {Accuracy * 100:0.0} %");
        console.Line($"Test log-loss: {LogLoss:0.000}");
    }

    private static string Quoted(IEnumerable<string> labels)
    {
        var all = labels.ToList();
        return string.Join(", ", all.Take(Worst).Select(label => $"'{label}'")) + (all.Count > Worst ? ", …" : "");
    }

    private static string Percent(double share) => double.IsNaN(share) ? "–" : $"{share * 100:0} %";

    private static Table Table(string first, params string[] numbers)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumn(first);
        foreach (var column in numbers)
            table.AddColumn(new TableColumn(column).RightAligned());
        return table;
    }
}
