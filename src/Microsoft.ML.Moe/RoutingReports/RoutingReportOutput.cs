using System.Text;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.RoutingReports;
using Spectre.Console;

namespace Microsoft.ML.Moe;

/// <summary>Shows a <see cref="RoutingReport"/>, or a comparison of routers, on the console, or as a page for a browser.</summary>
public static class RoutingReportOutput
{
    /// <summary>Writes a report as tables.</summary>
    /// <param name="report">The report.</param>
    /// <param name="console">Where to; null for the process's console.</param>
    public static void WriteTable(this RoutingReport report, IAnsiConsole? console = null)
    {
        ArgumentNullException.ThrowIfNull(report);
        RoutingReportTables.Write(report, console ?? AnsiConsole.Console);
    }

    /// <summary>Writes a comparison of routers as a table, in its order.</summary>
    /// <param name="comparisons">Results of one call of <c>CompareRouting</c>.</param>
    /// <param name="console">Where to; null for the process's console.</param>
    public static void WriteTable(this IEnumerable<RoutingComparison> comparisons, IAnsiConsole? console = null)
    {
        ArgumentNullException.ThrowIfNull(comparisons);
        RoutingComparisonTable.Write(comparisons, console ?? AnsiConsole.Console);
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
        AtomicFile.Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(page)));
    }
}
