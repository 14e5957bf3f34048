using System.Globalization;

namespace Microsoft.ML.Moe.Reports;

/// <summary>A bar of a chart.</summary>
/// <param name="Label">What the value belongs to; consecutive bars with the same label form a group.</param>
/// <param name="Value">Its length, at least 0.</param>
/// <param name="Text">The value as people read it.</param>
/// <param name="Series">What the value is.</param>
internal sealed record Bar(string Label, double Value, string Text, BarSeries Series);

/// <summary>Bars of a chart that mean the same and share a colour.</summary>
/// <param name="Name">In the legend.</param>
/// <param name="CssClass">To which the style sheet gives a colour, one for light and one for dark.</param>
internal sealed record BarSeries(string Name, string CssClass)
{
    /// <summary>The main values.</summary>
    public static BarSeries First(string name) => new(name, "first");

    /// <summary>Values to tell from the main ones.</summary>
    public static BarSeries Second(string name) => new(name, "second");

    /// <summary>A value to compare with.</summary>
    public static BarSeries Reference(string name) => new(name, "reference");
}

/// <summary>
/// Bars under each other: a table whose last cells hold boxes that are wide in proportion. Who cannot see them hears each row's label,
/// value and series.
/// </summary>
internal static class BarChart
{
    /// <summary>Writes a chart, with a legend if its bars mean different things. The longest bar fills the width.</summary>
    /// <param name="html">Where to.</param>
    /// <param name="title">Names the table to those who do not see it.</param>
    /// <param name="bars">From top to bottom; at least one.</param>
    public static void Write(HtmlWriter html, string title, IReadOnlyList<Bar> bars)
    {
        var series = bars.Select(bar => bar.Series).Distinct().ToList();
        if (series.Count > 1)
        {
            html.Raw("<p class=\"legend\">");
            foreach (var (name, cssClass) in series)
                html.Line($"<span class=\"{cssClass}\">{name}</span>");
            html.Raw("</p>\n");
        }

        html.Line($"<div class=\"scroll\"><table class=\"chart\" aria-label=\"{title}\"><tbody>");
        var longest = bars.Max(bar => bar.Value);
        string? group = null;
        foreach (var bar in bars)
        {
            var label = bar.Label == group ? "unseen" : "label";
            var width = (longest == 0 ? 0 : 100 * bar.Value / longest).ToString("0.##", CultureInfo.InvariantCulture);
            html.Line($"<tr><th scope=\"row\" title=\"{bar.Label}\"><bdi class=\"{label}\">{bar.Label}</bdi></th>");
            html.Line($"<td class=\"value\">{bar.Text}</td><td class=\"track\">");
            html.Line($"<div class=\"bar {bar.Series.CssClass}\" style=\"width:{width}%\"><span class=\"unseen\">{bar.Series.Name}</span></div></td></tr>");
            group = bar.Label;
        }

        html.Raw("</tbody></table></div>\n");
    }
}
