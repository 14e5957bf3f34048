using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Spectre.Console;

namespace Microsoft.ML.Moe.Tests.RoutingReports;

/// <summary>Reports and comparisons on the console.</summary>
public sealed class ConsoleTests
{
    [Fact]
    public void A_report_tells_each_layer_in_numbers()
    {
        var lines = Lines(Reports.With("[red]word[/]"));

        Assert.Contains("1,234 rows, 45,678 tokens (9 more were cut off); 4 experts", lines, StringComparison.Ordinal);
        Assert.Contains("from a router entropy of 1.040 nats", lines, StringComparison.Ordinal);
        // block, experts per token, variation, balance, without expert, dropped, entropy, uncertain, mean of 4 × 0.9 and 8 × −0.25
        Assert.Matches(@"5 +1\.5 +0\.432 +1\.057 +10\.0 % +1\.0 % +0\.321 \(23\.2 %\) +8\.8 % +0\.133", lines);
        Assert.Matches(@"3 +40\.0 % +█{24} +60\.0 % +25\.0 %", lines);
        Assert.Contains("Tokens by number of experts: 0: 10.0 %, 1: 90.0 %", lines, StringComparison.Ordinal);
        Assert.Contains("Most often uncertain: [red]word[/] (7)", lines, StringComparison.Ordinal);
        Assert.Contains("80.0 % of the tokens of expert 3 go to expert 0 too", lines, StringComparison.Ordinal);
        Assert.Contains("Most alike: experts 0 and 2, cosine 0.900 on 256 tokens", lines, StringComparison.Ordinal);
    }

    [Fact]
    public void Of_many_experts_the_most_used_are_shown() =>
        Assert.Contains("and 284 more experts, none of them used more", Lines(Reports.Of(300, [])), StringComparison.Ordinal);

    [Fact]
    public void A_comparison_is_a_row_for_each_router()
    {
        RoutingComparison[] comparisons =
        [
            new(Router.TokenChoice(1), 0.9123, 0.3456, 1, 2_500_000, 0.125),
            new(Router.Unified(0.75, 0.3, RoutingScope.Batch, normalizeWeights: true), 1, 0, 0.7499, 1_234_567_890, 12),
        ];

        var lines = Write(console => comparisons.WriteTable(console));

        Assert.Matches(@"TokenChoice, 1 expert per token +91\.2 % +0\.346 +1\.00 +2\.50 +0\.125", lines);
        Assert.Matches(
            @"Unified, 0\.75 experts per token, α 0\.3, within Batch, weights normalised +100\.0 % +0\.000 +0\.75 +1,234\.57 +12\.000",
            lines);
        Assert.Throws<ArgumentNullException>(() => RoutingReportOutput.WriteTable((RoutingReport)null!));
        Assert.Throws<ArgumentNullException>(() => RoutingReportOutput.WriteTable((IEnumerable<RoutingComparison>)null!));
    }

    internal static string Lines(RoutingReport report) => Write(console => report.WriteTable(console));

    private static string Write(Action<IAnsiConsole> write)
    {
        var writer = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.No,
            ColorSystem = ColorSystemSupport.NoColors,
            Out = new AnsiConsoleOutput(writer),
        });
        console.Profile.Width = 250;
        write(console);
        return writer.ToString();
    }
}
