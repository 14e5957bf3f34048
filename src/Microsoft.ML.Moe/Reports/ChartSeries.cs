using Spectre.Console;

namespace Microsoft.ML.Moe.Reports;

/// <summary>Bars of a chart that mean the same and share a colour.</summary>
/// <param name="Name">In the legend.</param>
/// <param name="Color">What Spectre.Console draws them in.</param>
/// <param name="CssClass">What the page's style sheet gives a colour to, one for light and one for dark.</param>
internal sealed record ChartSeries(string Name, Color Color, string CssClass)
{
    /// <summary>The main values.</summary>
    public static ChartSeries First(string name) => new(name, Color.Blue, "first");

    /// <summary>Values to tell from the main ones.</summary>
    public static ChartSeries Second(string name) => new(name, Color.Orange1, "second");

    /// <summary>A value to compare with.</summary>
    public static ChartSeries Reference(string name) => new(name, Color.Red, "reference");
}
