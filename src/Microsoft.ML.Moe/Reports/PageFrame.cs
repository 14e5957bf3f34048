using System.Text;
using Microsoft.ML.Moe.Files;

namespace Microsoft.ML.Moe.Reports;

/// <summary>
/// What every page has around its content: no scripts, and a content security policy that lets nothing run and nothing be loaded.
/// </summary>
internal static class PageFrame
{
    /// <summary>A page.</summary>
    /// <param name="title">Its title.</param>
    /// <param name="write">Writes what stands in it.</param>
    public static string Of(string title, Action<HtmlWriter> write)
    {
        var html = new HtmlWriter();
        html.Raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        html.Raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n");
        html.Raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        html.Line($"<meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>");
        html.Raw($"<style>\n{StyleSheet()}</style>\n</head>\n<body>\n<main>\n");
        write(html);
        html.Raw("</main>\n</body>\n</html>\n");
        return html.ToString();
    }

    /// <summary>Writes a page; a file that is there is replaced when the new one is complete.</summary>
    /// <param name="path">Path of the file.</param>
    /// <param name="page">The page.</param>
    public static void Save(string path, string page) => AtomicFile.Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(page)));

    private static string StyleSheet()
    {
        using var stream = typeof(PageFrame).Assembly.GetManifestResourceStream("Reports/report.css")!;
        using var reader = new StreamReader(stream);
        // the same whatever line ends the file was checked out with
        return reader.ReadToEnd().Replace("\r\n", "\n", StringComparison.Ordinal);
    }
}
