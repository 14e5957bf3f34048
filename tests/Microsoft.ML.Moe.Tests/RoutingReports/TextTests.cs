using System.Text.RegularExpressions;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tests.RoutingReports;

/// <summary>Reports and comparisons as plain text.</summary>
public sealed class TextTests
{
    [Fact]
    public void A_report_tells_each_layer_in_numbers()
    {
        var lines = Text(Reports.With("[red]word[/]"));

        Assert.Contains("1,234 rows, 45,678 tokens (9 more were cut off); 4 experts", lines, StringComparison.Ordinal);
        Assert.Contains("from a router entropy of 1.040 nats", lines, StringComparison.Ordinal);
        // the mean of 4 × 0.9 and 8 × −0.25 last
        Assert.Equal(
            [
                "experts per token: 1.5", "load variation: 0.432", "load balancing: 1.057", "no expert: 10.0 %", "dropped: 1.0 %",
                "mean entropy: 0.321", "mean entropy / ln N: 23.2 %", "uncertain: 8.8 %", "output similarity: 0.133",
            ],
            FiguresUnder("block 5", lines));
        Assert.Matches(@"3 +40\.0 % +█{24} +60\.0 % +25\.0 %", lines);
        Assert.Contains("Tokens by number of experts: 0: 10.0 %, 1: 90.0 %", lines, StringComparison.Ordinal);
        Assert.Contains("Most often uncertain: [red]word[/] (7)", lines, StringComparison.Ordinal);
        Assert.Contains("80.0 % of the tokens of expert 3 go to expert 0 too", lines, StringComparison.Ordinal);
        Assert.Contains("Most alike: experts 0 and 2, cosine 0.900 on 256 tokens", lines, StringComparison.Ordinal);
    }

    [Fact]
    public void Of_many_experts_the_most_used_are_shown() =>
        Assert.Contains("and 284 more experts, none of them used more", Text(Reports.Of(300, [])), StringComparison.Ordinal);

    [Fact]
    public void A_comparison_is_a_row_for_each_router()
    {
        RoutingComparison[] comparisons =
        [
            new(Router.TokenChoice(1), 0.9123, 0.3456, 1, 2_500_000, 0.125),
            new(Router.Unified(0.75, 0.3, RoutingScope.Batch, normalization: WeightNormalization.All), 1, 0, 0.7499, 1_234_567_890, 12),
        ];

        Assert.Equal(
            """
                                                                   experts
                                                                       per    MFLOPs  ms per
            router                             accuracy  log-loss    token   per row     row
            ─────────────────────────────────  ────────  ────────  ───────  ────────  ──────
            TokenChoice, 1 expert per token      91.2 %     0.346     1.00      2.50   0.125
            Unified, 0.75 experts per token,    100.0 %     0.000     0.75  1,234.57  12.000
            α 0.3, within Batch, weights
            normalised over all experts

            """.ReplaceLineEndings("\n"),
            comparisons.ToText());
        Assert.Throws<ArgumentNullException>(() => RoutingReportOutput.ToText((RoutingReport)null!));
        Assert.Throws<ArgumentNullException>(() => RoutingReportOutput.ToText((IEnumerable<RoutingComparison>)null!));
    }

    [Theory]
    [InlineData(1, "a")]
    [InlineData(4, "日本日本日本日本日本日本日本日本日本日本日本日本日本日本日本日本日本日本日本日本日本日本")]
    [InlineData(300, "donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft")]
    public void No_line_is_wider_than_80_columns(int experts, string token)
    {
        var report = Reports.Of(experts, [.. Enumerable.Range(0, 20).Select(n => new UncertainToken($"{n}{token}", 123_456, 0.05))]);
        var layers = Enumerable.Range(0, 13).Select(block => report.Layers[0] with
        {
            Block = block, TokensByExperts = [.. Enumerable.Repeat(1_000L, experts + 1)],
        });

        Assert.All((report with { Layers = [.. layers] }).ToText().Split('\n'), line => Assert.InRange(Columns(line), 0, 80));
    }

    [Theory]
    [InlineData("1234567890123456789012345678901234567890", "1234567890123456789012345678901234567890")]
    [InlineData("12345678901234567890123456789012345678901", "123456789012345678901234567890123456789…")]
    [InlineData("12345678901234567890123456789012345678🎈🎈", "12345678901234567890123456789012345678…")]
    public void Long_token_texts_are_shortened(string token, string shown) =>
        Assert.Contains($"Most often uncertain: {shown} (7)", Text(Reports.With(token)), StringComparison.Ordinal);

    internal static string Text(RoutingReport report) => report.ToText();

    private static IEnumerable<string> FiguresUnder(string heading, string text)
    {
        var table = text.Split('\n').SkipWhile(line => line.Trim() != heading).Skip(2).TakeWhile(line => line.Length > 0);
        return table.Select(line => Regex.Replace(line, " {2,}", ": "));
    }

    // terminals show what East Asian scripts and pictures are made of in two columns
    private static int Columns(string line) => line.EnumerateRunes().Sum(rune => rune.Value is >= 0x3000 and < 0xD800 or > 0xFFFF ? 2 : 1);
}
