using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Reports;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe;

/// <summary>Shows a <see cref="RoutingReport"/>, or a comparison of routers, as text or as a page for a browser.</summary>
public static class RoutingReportOutput
{
    /// <summary>The report as tables of plain text, at most 80 columns wide, each line with a line feed at its end.</summary>
    /// <param name="report">The report.</param>
    public static string ToText(this RoutingReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        return RoutingReportText.Of(report);
    }

    /// <summary>A comparison of routers as a table of plain text, at most 80 columns wide, in the comparison's order.</summary>
    /// <param name="comparisons">Results of one call of <c>CompareRouting</c>.</param>
    public static string ToText(this IEnumerable<RoutingComparison> comparisons)
    {
        ArgumentNullException.ThrowIfNull(comparisons);
        return RoutingComparisonText.Of(comparisons);
    }

    /// <summary>A comparison of a language model's routers as a table of plain text, in the comparison's order.</summary>
    /// <param name="scores">What <c>CompareRouting</c> or <c>CalibrateRouting</c> gave.</param>
    public static string ToText(this IEnumerable<RouterScore> scores)
    {
        ArgumentNullException.ThrowIfNull(scores);
        return TextScoreTables.Of(scores);
    }

    /// <summary>What random experts cost, as a table of plain text, at most 80 columns wide, in the thresholds' order.</summary>
    /// <param name="scores">What <c>CompareRandomExperts</c> gave.</param>
    public static string ToText(this IEnumerable<RandomExpertsScore> scores)
    {
        ArgumentNullException.ThrowIfNull(scores);
        return TextScoreTables.Of(scores);
    }

    /// <summary>
    /// The report as one HTML page with charts. It needs nothing else, no network either, runs no script, and adapts to small screens
    /// and to dark mode.
    /// </summary>
    /// <param name="report">The report.</param>
    public static string ToHtml(this RoutingReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        return RoutingReportPage.Of(report);
    }

    /// <summary>Writes the page of <see cref="ToHtml"/>; a file that is there is replaced when the new one is complete.</summary>
    /// <param name="report">The report.</param>
    /// <param name="path">Path of the file.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be written.</exception>
    public static void SaveHtml(this RoutingReport report, string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var page = report.ToHtml();
        PageFrame.Save(path, page);
    }
}
