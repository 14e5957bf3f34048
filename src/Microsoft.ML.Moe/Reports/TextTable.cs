using System.Text;

namespace Microsoft.ML.Moe.Reports;

/// <summary>
/// A table of plain text for terminals and logs. It is at most <see cref="MaximumWidth"/> columns wide: headings wrap between words
/// first, then the cells of left-aligned columns do. Numbers are never cut or wrapped.
/// </summary>
internal sealed class TextTable
{
    /// <summary>The width that every terminal has.</summary>
    public const int MaximumWidth = 80;

    private const string Gap = "  ";

    private readonly List<(string Heading, bool IsText)> _columns = [];
    private readonly List<string[]> _rows = [];

    /// <summary>Adds a left-aligned column, whose cells may wrap.</summary>
    public TextTable Text(string heading) => Add(heading, isText: true);

    /// <summary>Adds a right-aligned column, whose cells stay in one piece.</summary>
    public TextTable Number(string heading) => Add(heading, isText: false);

    /// <summary>Adds a row, a cell for each column.</summary>
    public void Row(params string[] cells) => _rows.Add(cells);

    /// <summary>The table as lines, each with a line end.</summary>
    public override string ToString()
    {
        var widths = Widths();
        var headings = _columns.Select((column, c) => Wrapped(column.Heading, widths[c])).ToList();
        var height = headings.Max(lines => lines.Count);
        var table = new StringBuilder();
        Append(table, [.. headings.Select(lines => Enumerable.Repeat("", height - lines.Count).Concat(lines).ToList())], widths);
        table.AppendJoin(Gap, widths.Select(width => new string('─', width))).Append('\n');
        foreach (var row in _rows)
            Append(table, [.. row.Select((cell, c) => _columns[c].IsText ? Wrapped(cell, widths[c]) : [cell])], widths);
        return table.ToString();
    }

    private TextTable Add(string heading, bool isText)
    {
        _columns.Add((heading, isText));
        return this;
    }

    // as wide as the content, then narrower by one where that still can be done: headings of numbers first, text afterwards
    private int[] Widths()
    {
        var widths = _columns.Select((column, c) => Cells(c).Append(column.Heading).Max(text => text.Length)).ToArray();
        var least = _columns.Select((column, c) => Cells(c).Select(cell => column.IsText ? LongestWord(cell) : cell.Length)
            .Append(LongestWord(column.Heading)).Max()).ToArray();
        foreach (var isText in (bool[])[false, true])
            while (widths.Sum() + Gap.Length * (widths.Length - 1) > MaximumWidth)
            {
                var shrinkable = Enumerable.Range(0, widths.Length).Where(c => _columns[c].IsText == isText && widths[c] > least[c]);
                if (!shrinkable.Any())
                    break;
                widths[shrinkable.MaxBy(c => widths[c])]--;
            }

        // a wrapped heading may need less than it was given
        return [.. _columns.Select((column, c) =>
            column.IsText ? widths[c] : Cells(c).Concat(Wrapped(column.Heading, widths[c])).Max(text => text.Length))];
    }

    private IEnumerable<string> Cells(int column) => _rows.Select(row => row[column]);

    private static int LongestWord(string text) => text.Split(' ').Max(word => word.Length);

    private static IReadOnlyList<string> Wrapped(string text, int width) => WrappedText.Lines(text.Split(' '), width, " ");

    private void Append(StringBuilder table, IReadOnlyList<string>[] cells, int[] widths)
    {
        var height = cells.Max(lines => lines.Count);
        for (var line = 0; line < height; line++)
        {
            var padded = cells.Select((lines, c) => Padded(line < lines.Count ? lines[line] : "", c, widths[c]));
            table.Append(string.Join(Gap, padded).TrimEnd()).Append('\n');
        }
    }

    private string Padded(string text, int column, int width) => _columns[column].IsText ? text.PadRight(width) : text.PadLeft(width);
}
