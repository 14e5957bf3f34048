using System.Globalization;

namespace Microsoft.ML.Moe.Evaluation;

/// <summary>Numbers classes from 0 in the order of their labels: by size where all are numbers, else by text.</summary>
internal sealed class ClassNumbers
{
    private readonly Dictionary<string, int> _numbers;

    /// <summary>Numbers the labels that occur.</summary>
    public ClassNumbers(IEnumerable<string> labels)
    {
        string[] distinct = [.. labels.Distinct()];
        var sizes = Array.ConvertAll(
            distinct, l => double.TryParse(l, NumberStyles.Float, CultureInfo.InvariantCulture, out var n) ? n : double.NaN);
        if (Array.Exists(sizes, double.IsNaN))
            Array.Sort(distinct, StringComparer.Ordinal);
        else
            Array.Sort(sizes, distinct);
        _numbers = distinct.Select((l, i) => (l, i)).ToDictionary(l => l.l, l => l.i);
    }

    /// <summary>Number of classes.</summary>
    public int Count => _numbers.Count;

    /// <summary>Number of a label's class.</summary>
    public int this[string label] => _numbers[label];
}
