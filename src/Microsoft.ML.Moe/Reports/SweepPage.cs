using System.Globalization;

namespace Microsoft.ML.Moe.Reports;

/// <summary>A sweep as a page without scripts.</summary>
internal static class SweepPage
{
    private const int MostTrials = 100;

    /// <summary>The page.</summary>
    public static string Of(SweepResult result) => PageFrame.Of("Sweep", html =>
    {
        var importance = SweepImportance.Of(result);
        WriteOverview(html, result);
        html.Raw("<section><h2>What was found</h2>");
        var figures = new SweepFigures(html, result);
        figures.WriteHistory();
        figures.WriteCoordinates([.. importance.Select(option => option.Option)]);
        if (importance.Count > 0)
        {
            html.Raw("<figure><h3>Importance of options</h3><p>Share of the differences in rank that go with the option's values alone. "
                + "With few trials it is a hint, no proof.</p>\n");
            BarChart.Write(html, "Importance of options", [.. importance.Select(option => new Bar(
                option.Option, option.Share, option.Share.ToString("0 %", CultureInfo.InvariantCulture), BarSeries.First("share")))]);
            html.Raw("</figure>");
        }

        html.Raw("</section>\n");
        WriteLeaderboard(html, result);
    });

    private static void WriteOverview(HtmlWriter html, SweepResult result)
    {
        html.Line($"<header><h1>Sweep</h1><p>{SweepText.Summary(result)}</p>");
        foreach (var line in SweepText.Winner(result))
            html.Line($"<p>{line}</p>");
        html.Raw("</header>\n");
    }

    private static void WriteLeaderboard(HtmlWriter html, SweepResult result)
    {
        html.Raw("<section><h2>Leaderboard</h2><div class=\"scroll\">");
        TableMarkup.Write(html, SweepText.Columns, result.Leaderboard.Take(MostTrials).Select(SweepText.Cells));
        html.Raw("</div>");
        if (result.Leaderboard.Count > MostTrials)
            html.Line($"<p>{result.Leaderboard.Count - MostTrials} more trials are in the journal.</p>");
        html.Raw("</section>\n");
    }
}
