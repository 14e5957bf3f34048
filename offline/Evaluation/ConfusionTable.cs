using System.Globalization;
using System.Text;
using Microsoft.ML.Data;

namespace Microsoft.ML.Offline;

/// <summary>The confusion matrix as text: names that do not fit over a column are replaced by numbers, which the rows explain.</summary>
internal static class ConfusionTable
{
    internal static string Format(ConfusionMatrix matrix, string[] names)
    {
        var width = names.Length == 2 ? 8 : 5;
        var numbered = names.Max(n => n.Length) > width;
        var digits = (names.Length - 1).ToString(CultureInfo.InvariantCulture).Length;
        var labels = numbered ? LabelsWithNumbers(names, digits) : names;
        var margin = Math.Max("PREDICTED".Length, labels.Max(l => l.Length));
        var rule = string.Concat(Enumerable.Repeat(new string('=', names.Length > 2 ? 8 : 11), names.Length));
        var headers = numbered ? Enumerable.Range(0, names.Length).Select(i => i.ToString(CultureInfo.InvariantCulture)) : names;

        var text = new StringBuilder().AppendLine().AppendLine("Confusion table");
        Line("", rule);
        Line("PREDICTED", string.Concat(headers.Select(h => $" {h.PadLeft(width)} |")) + " Recall");
        Line("TRUTH", rule);
        for (var i = 0; i < names.Length; i++)
        {
            var cells = matrix.Counts[i].Select(c => $" {c.ToString("N0").PadLeft(width)} |");
            text.AppendLine($"{labels[i].PadLeft(margin)} ||{string.Concat(cells)} {matrix.PerClassRecall[i],5:F4}");
        }

        Line("", rule);
        Line("Precision", string.Concat(matrix.PerClassPrecision.Select(p => p.ToString("N4").PadLeft(width + 1) + " |")));
        return text.ToString();

        void Line(string head, string rest) => text.AppendLine($"{head.PadRight(margin)} ||{rest}");
    }

    private static string[] LabelsWithNumbers(string[] names, int digits)
    {
        var width = Math.Max(names.Max(n => n.Length), "PREDICTED".Length - digits - 2);
        return [.. names.Select((n, i) => $"{i.ToString(CultureInfo.InvariantCulture).PadLeft(digits)}. {n.PadLeft(width)}")];
    }
}
