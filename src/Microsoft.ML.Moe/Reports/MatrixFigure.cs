using System.Globalization;

namespace Microsoft.ML.Moe.Reports;

/// <summary>
/// An expert-by-expert matrix as a table with shaded cells; of many experts the numbers are left to tooltips, and of very many only the
/// largest entries are listed.
/// </summary>
/// <param name="html">Where to.</param>
/// <param name="matrix">Values within [−1, 1]; the diagonal says nothing.</param>
/// <param name="title">The heading.</param>
/// <param name="format">How to write a value.</param>
internal sealed class MatrixFigure(
    HtmlWriter html, IReadOnlyList<IReadOnlyList<double>>? matrix, string title, Func<double, string> format)
{
    private const int LargestWithNumbers = 16;
    private const int LargestTable = 40;
    private const int PairsListed = 20;

    /// <summary>Writes the figure.</summary>
    /// <param name="meaning">What it shows, in a sentence.</param>
    /// <param name="nothing">What to say in place of the matrix; null to show it.</param>
    public void Write(string meaning, string? nothing)
    {
        html.Line($"<figure><h3>{title}</h3><p>{meaning}</p>");
        if (nothing is not null || matrix is null || matrix.Count == 1)
            html.Line($"<p class=\"none\">{nothing ?? "There is one expert only."}</p>");
        else if (matrix.Count <= LargestTable)
            WriteTable(matrix, numbers: matrix.Count <= LargestWithNumbers);
        else
            WriteLargest(matrix);
        html.Raw("</figure>\n");
    }

    private void WriteTable(IReadOnlyList<IReadOnlyList<double>> rows, bool numbers)
    {
        var density = numbers ? "roomy" : "dense";
        html.Line($"<div class=\"scroll\"><table class=\"matrix {density}\"><thead><tr><th scope=\"col\"></th>");
        for (var column = 0; column < rows.Count; column++)
            html.Line($"<th scope=\"col\">{column}</th>");
        html.Raw("</tr></thead><tbody>\n");
        for (var row = 0; row < rows.Count; row++)
        {
            html.Line($"<tr><th scope=\"row\">{row}</th>");
            for (var column = 0; column < rows.Count; column++)
                if (row == column)
                    html.Raw("<td class=\"diagonal\">–</td>");
                else if (numbers)
                    WriteCell(rows[row][column], $"expert {row} with {column}", format(rows[row][column]));
                else
                    WriteCell(rows[row][column], $"expert {row} with {column}: {format(rows[row][column])}", "");
            html.Raw("</tr>\n");
        }

        html.Raw("</tbody></table></div>\n");
    }

    private void WriteCell(double value, string tooltip, string text)
    {
        var shade = (Math.Abs(value) * 100).ToString("0", CultureInfo.InvariantCulture);
        var sign = value < 0 ? "negative" : "positive";
        var strength = Math.Abs(value) > 0.8 ? "strong" : "weak";
        html.Line($"<td class=\"{sign} {strength}\" style=\"--shade:{shade}%\" title=\"{tooltip}\">{text}</td>");
    }

    private void WriteLargest(IReadOnlyList<IReadOnlyList<double>> rows)
    {
        html.Line($"<p>The {PairsListed} largest of {rows.Count} × {rows.Count}:</p><div class=\"scroll\">");
        TableMarkup.Write(
            html,
            ["expert", "with expert", "value"],
            Summary.LargestPairs(rows, PairsListed).Select(p => new[] { $"{p.Row}", $"{p.Column}", format(p.Value) }));
        html.Raw("</div>\n");
    }
}
