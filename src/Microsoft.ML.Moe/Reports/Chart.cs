using System.Globalization;
using System.Text;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Microsoft.ML.Moe.Reports;

/// <summary>
/// Bars under each other, drawn by Spectre.Console in a fixed number of characters whatever the process's console is like. Its own
/// export to HTML encodes nothing and has colours for one background only, so what it draws is written here.
/// </summary>
/// <param name="bars">From top to bottom; at least one.</param>
internal sealed class Chart(IReadOnlyList<ChartBar> bars)
{
    private const int Width = 52;
    private const int LongestLabel = 16;
    private const int Gap = 2;

    // colours that tell segments apart
    private static readonly Color LabelColor = Color.White;
    private static readonly Color ValueColor = Color.Silver;

    private static readonly RenderOptions Options = RenderOptions.Create(AnsiConsole.Create(new AnsiConsoleSettings
    {
        Ansi = AnsiSupport.Yes,
        ColorSystem = ColorSystemSupport.TrueColor,
        Interactive = InteractionSupport.No,
        Enrichment = new ProfileEnrichment { UseDefaultEnrichers = false },
        Out = new AnsiConsoleOutput(TextWriter.Null),
    }));

    private readonly List<ChartSeries> _series = [.. bars.Select(bar => bar.Series).Distinct()];

    /// <summary>Writes the chart, with a legend if its bars mean different things. The longest bar fills the width.</summary>
    /// <param name="html">Where to.</param>
    /// <param name="title">Stands for the picture where it cannot be seen.</param>
    public void Write(HtmlWriter html, string title)
    {
        if (_series.Count > 1)
        {
            html.Raw("<p class=\"legend\">");
            foreach (var series in _series)
                html.Line($"<span class=\"{series.CssClass}\">{series.Name}</span>");
            html.Raw("</p>\n");
        }

        html.Line($"<div class=\"scroll\"><pre class=\"chart\" role=\"img\" aria-label=\"{title}\" style=\"--width:{Width}\">");
        foreach (var line in Segment.SplitLines(((IRenderable)Draw()).Render(Options, Width)))
        {
            WriteLine(html, line);
            html.Raw("\n");
        }

        html.Raw("</pre></div>\n");
    }

    private static string Shortened(string label)
    {
        if (Cells(label) <= LongestLabel)
            return label;
        // by whole characters as people see them, and before Spectre.Console sees it, which does not end on long wide texts
        var shortened = new StringBuilder();
        var cells = 1;
        foreach (var element in Elements(label))
        {
            cells += Cells(element);
            if (cells > LongestLabel)
                break;
            shortened.Append(element);
        }

        return shortened.Append('…').ToString();
    }

    private static IEnumerable<string> Elements(string text)
    {
        for (var elements = StringInfo.GetTextElementEnumerator(text); elements.MoveNext();)
            yield return elements.GetTextElement();
    }

    private static int Cells(string text) => new Segment(text).CellCount();

    private Grid Draw()
    {
        var labels = bars.Select(bar => Shortened(bar.Label)).ToList();
        var (labelCells, valueCells) = (Math.Max(1, labels.Max(Cells)), bars.Max(bar => Cells(bar.Text)));
        var longest = bars.Max(bar => bar.Value);
        var grid = new Grid()
            .AddColumn(Column(labelCells, Gap))
            .AddColumn(Column(valueCells, 0))
            // the chart begins with a gap of its own
            .AddColumn(Column(Width - labelCells - Gap - valueCells, 0));
        foreach (var (label, bar) in labels.Zip(bars))
            grid.AddRow(
                new Spectre.Console.Text(label, new Style(LabelColor)),
                new Spectre.Console.Text(bar.Text, new Style(ValueColor)),
                // beside a value that the chart itself writes, a bar would be shorter by the value's width and not in proportion
                new BarChart { ShowValues = false, MaxValue = longest > 0 ? longest : 1 }.AddItem("", bar.Value, bar.Series.Color));
        return grid;
    }

    private static GridColumn Column(int width, int gap) =>
        new() { Width = width, NoWrap = true, Alignment = Justify.Right, Padding = new Padding(0, 0, gap, 0) };

    private void WriteLine(HtmlWriter html, IEnumerable<Segment> line)
    {
        var (text, cssClass) = (new StringBuilder(), "");
        foreach (var segment in line.Where(segment => segment.Text.Length > 0).Append(new Segment("")))
        {
            var next = ClassOf(segment.Style.Foreground);
            if (next == cssClass && segment.Text.Length > 0)
            {
                text.Append(segment.Text);
                continue;
            }

            WriteRun(html, text.ToString(), cssClass);
            (text, cssClass) = (new StringBuilder(segment.Text), next);
        }
    }

    // a box of as many characters as Spectre.Console counted, since browsers' fonts disagree about how wide rare characters are
    private static void WriteRun(HtmlWriter html, string text, string cssClass)
    {
        if (cssClass.Length == 0)
        {
            html.Text(text);
            return;
        }

        html.Raw($"<span class=\"{cssClass}\" style=\"--cells:{Cells(text)}\">");
        html.Text(text);
        html.Raw("</span>");
    }

    private string ClassOf(Color color) =>
        color == LabelColor ? "label"
        : color == ValueColor ? "value"
        : _series.Find(series => series.Color == color)?.CssClass ?? "";
}
