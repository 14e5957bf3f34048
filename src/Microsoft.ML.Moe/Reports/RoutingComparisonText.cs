using System.Globalization;
using Microsoft.ML.Moe.Models;

namespace Microsoft.ML.Moe.Reports;

/// <summary>Routers side by side as a table of text.</summary>
internal static class RoutingComparisonText
{
    public static string Of(IEnumerable<RoutingComparison> comparisons)
    {
        var table = new TextTable().Text("router")
            .Number("accuracy").Number("log-loss").Number("experts per token").Number("MFLOPs per row").Number("ms per row");
        foreach (var result in comparisons)
            table.Row(
                $"{result.Router}",
                DisplayText.Percent(result.Accuracy),
                DisplayText.Number(result.LogLoss),
                DisplayText.TwoDigits(result.ExpertsPerToken),
                (result.FlopsPerRow / 1e6).ToString("N2", CultureInfo.InvariantCulture),
                DisplayText.Number(result.MillisecondsPerRow));
        return table.ToString();
    }
}
