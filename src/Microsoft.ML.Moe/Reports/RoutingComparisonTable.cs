using System.Globalization;
using Microsoft.ML.Moe.Models;
using Spectre.Console;

namespace Microsoft.ML.Moe.Reports;

/// <summary>Routers side by side, on the console.</summary>
internal static class RoutingComparisonTable
{
    public static void Write(IEnumerable<RoutingComparison> comparisons, IAnsiConsole console)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumn("router");
        foreach (var header in (string[])["accuracy", "log-loss", "experts per token", "MFLOPs per row", "ms per row"])
            table.AddColumn(new TableColumn(header).RightAligned());
        foreach (var result in comparisons)
            table.AddRow(
                Markup.Escape($"{result.Router}"),
                DisplayText.Percent(result.Accuracy),
                DisplayText.Number(result.LogLoss),
                DisplayText.TwoDigits(result.ExpertsPerToken),
                (result.FlopsPerRow / 1e6).ToString("N2", CultureInfo.InvariantCulture),
                DisplayText.Number(result.MillisecondsPerRow));
        console.Write(table);
    }
}
