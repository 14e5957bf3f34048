using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Reports;

/// <summary>A routing report as a page without scripts.</summary>
internal static class RoutingReportPage
{
    /// <summary>The page.</summary>
    public static string Of(RoutingReport report) => PageFrame.Of("Routing report", html =>
    {
        WriteOverview(html, report);
        foreach (var layer in report.Layers)
        {
            html.Line($"<section><h2>Block {layer.Block}</h2>");
            new LayerFigures(html, layer, report).Write();
            html.Raw("</section>\n");
        }
    });

    private static void WriteOverview(HtmlWriter html, RoutingReport report)
    {
        html.Line($"<header><h1>Routing report</h1><p>{Summary.Of(report)}</p><p>{Summary.Uncertain(report)}</p>");
        foreach (var stack in Summary.Stacks(report))
            html.Line($"<p>{stack}</p>");
        html.Raw("</header>\n");
        html.Raw("<section><h2>Layers at a glance</h2><div class=\"scroll\">");
        TableMarkup.Write(html, Summary.Columns.Select(c => c.Name), report.Layers.Select(layer => Summary.Cells(layer, report)));
        html.Raw("</div><details><summary>What the columns mean</summary><dl>\n");
        foreach (var (name, meaning) in Summary.Columns)
            html.Line($"<dt>{name}</dt><dd>{meaning}</dd>");
        html.Raw("</dl></details></section>\n");
    }
}
