using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Reports;

/// <summary>
/// A routing report as a page without scripts. Its content security policy lets nothing run and nothing be loaded.
/// </summary>
internal static class RoutingReportPage
{
    /// <summary>The page.</summary>
    public static string Of(RoutingReport report)
    {
        var html = new HtmlWriter();
        html.Raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        html.Raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n");
        html.Raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        html.Raw("<meta name=\"color-scheme\" content=\"light dark\">\n<title>Routing report</title>\n");
        html.Raw($"<style>\n{StyleSheet()}</style>\n</head>\n<body>\n<main>\n");
        WriteOverview(html, report);
        foreach (var layer in report.Layers)
        {
            html.Line($"<section><h2>Block {layer.Block}</h2>");
            new LayerFigures(html, layer, report).Write();
            html.Raw("</section>\n");
        }

        html.Raw("</main>\n</body>\n</html>\n");
        return html.ToString();
    }

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

    private static string StyleSheet()
    {
        using var stream = typeof(RoutingReportPage).Assembly.GetManifestResourceStream("Reports/report.css")!;
        using var reader = new StreamReader(stream);
        // the same whatever line ends the file was checked out with
        return reader.ReadToEnd().Replace("\r\n", "\n", StringComparison.Ordinal);
    }
}
