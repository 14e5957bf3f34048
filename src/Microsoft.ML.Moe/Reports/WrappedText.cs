using System.Globalization;
using System.Text;

namespace Microsoft.ML.Moe.Reports;

/// <summary>Lines of limited width.</summary>
internal static class WrappedText
{
    /// <summary>Joins parts to lines, as many on each as fit. A part that is wider than a line has a line of its own.</summary>
    /// <param name="parts">The parts, none of which is broken.</param>
    /// <param name="width">Columns of a line.</param>
    /// <param name="separator">Between the parts of a line, and at the end of a line, but for a space there.</param>
    public static IReadOnlyList<string> Lines(IEnumerable<string> parts, int width, string separator)
    {
        var (lines, line) = (new List<string>(), "");
        var all = parts.ToList();
        foreach (var (index, part) in all.Index())
        {
            var after = index == all.Count - 1 ? "" : separator.TrimEnd();
            if (line.Length > 0 && Columns(line + separator + part + after) > width)
            {
                lines.Add((line + separator).TrimEnd());
                line = "";
            }

            line += line.Length == 0 ? part : separator + part;
        }

        lines.Add(line);
        return lines;
    }

    /// <summary>A text that takes at most this many columns; where some is left out, an ellipsis stands for it.</summary>
    public static string Shortened(string text, int width)
    {
        if (Columns(text) <= width)
            return text;
        // by whole characters as people see them
        var shortened = new StringBuilder();
        var columns = 1;
        foreach (var element in Elements(text))
        {
            columns += ColumnsOfElement(element);
            if (columns > width)
                break;
            shortened.Append(element);
        }

        return shortened.Append('…').ToString();
    }

    // at most: terminals show most of the characters beyond U+1100 in two columns
    private static int Columns(string text) => Elements(text).Sum(ColumnsOfElement);

    private static int ColumnsOfElement(string element) =>
        element[0] < 0x1100 || element[0] is >= '\u2000' and < '\u2E80' ? 1 : 2;

    private static IEnumerable<string> Elements(string text)
    {
        for (var elements = StringInfo.GetTextElementEnumerator(text); elements.MoveNext();)
            yield return elements.GetTextElement();
    }
}
