namespace Microsoft.ML.Moe.Reports;

/// <summary>A table of text in HTML; the first column names the rows.</summary>
internal static class TableMarkup
{
    public static void Write(HtmlWriter html, IEnumerable<string> headers, IEnumerable<IReadOnlyList<string>> rows)
    {
        html.Raw("<table><thead><tr>");
        foreach (var header in headers)
            html.Line($"<th scope=\"col\">{header}</th>");
        html.Raw("</tr></thead><tbody>\n");
        foreach (var row in rows)
        {
            html.Line($"<tr><th scope=\"row\"><bdi>{row[0]}</bdi></th>");
            foreach (var cell in row.Skip(1))
                html.Line($"<td>{cell}</td>");
            html.Raw("</tr>\n");
        }

        html.Raw("</tbody></table>\n");
    }
}
