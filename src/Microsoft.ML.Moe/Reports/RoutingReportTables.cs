using Microsoft.ML.Moe.Routing;
using Spectre.Console;

namespace Microsoft.ML.Moe.Reports;

/// <summary>A routing report on the console.</summary>
internal static class RoutingReportTables
{
    private const int ExpertsShown = 16;
    private const int TokensShown = 10;
    private const int BarWidth = 24;
    private const string Steps = "▁▂▃▄▅▆▇█";

    public static void Write(RoutingReport report, IAnsiConsole console)
    {
        console.WriteLine(Summary.Of(report));
        console.WriteLine(Summary.Uncertain(report));
        console.Write(Overview(report));
        foreach (var layer in report.Layers)
            Write(layer, console);
    }

    private static Table Overview(RoutingReport report)
    {
        var table = TableOf([.. Summary.Columns.Select(c => c.Name)]);
        foreach (var layer in report.Layers)
            table.AddRow([.. Summary.Cells(layer, report).Select(Markup.Escape)]);
        return table;
    }

    private static void Write(LayerRoutingReport layer, IAnsiConsole console)
    {
        console.WriteLine($"Block {layer.Block}");
        var largest = layer.Load.Max(e => e.ShareOfPairs);
        var table = TableOf("expert", "share of pairs", "", "share of tokens", "mean probability");
        table.Columns[2].Alignment(Justify.Left);
        var shown = Summary.Busiest(layer, ExpertsShown);
        foreach (var (expert, load) in shown)
            table.AddRow(
                $"{expert}",
                DisplayText.Percent(load.ShareOfPairs),
                new string('█', largest == 0 ? 0 : (int)Math.Round(BarWidth * load.ShareOfPairs / largest)),
                DisplayText.Percent(load.ShareOfTokens),
                DisplayText.Percent(load.MeanProbability));
        console.Write(table);
        if (shown.Count < layer.Load.Count)
            console.WriteLine($"  … and {layer.Load.Count - shown.Count} more experts, none of them used more than these.");
        var counts = layer.TokensByExperts.Index().Where(n => n.Item > 0)
            .Select(n => $"{n.Index}: {DisplayText.Percent((double)n.Item / layer.Tokens)}");
        console.WriteLine($"  Tokens by number of experts: {string.Join(", ", counts)}");
        console.WriteLine($"  Router entropy from 0 to ln N: {Sparkline(layer)}");
        if (layer.MostUncertainTokens.Count > 0)
            console.WriteLine("  Most often uncertain: " + string.Join(
                "  ",
                layer.MostUncertainTokens.Take(TokensShown).Select(t => $"{DisplayText.Token(t.Text)} ({DisplayText.Count(t.Count)})")));
        if (Summary.ClosestPair(layer.CoActivation) is (var from, var to, > 0 and var share))
            console.WriteLine($"  Most often together: {DisplayText.Percent(share)} of the tokens of expert {from} go to expert {to} too.");
        if (layer.OutputSimilarity is { } similarity && Summary.ClosestPair(similarity) is var (left, right, cosine))
            console.WriteLine(
                $"  Most alike: experts {left} and {right}, cosine {DisplayText.Number(cosine)} "
                + $"on {DisplayText.Count(layer.SampledTokens)} tokens.");
        console.WriteLine();
    }

    private static string Sparkline(LayerRoutingReport layer)
    {
        var highest = layer.EntropyHistogram.Max(bin => bin.Tokens);
        var steps = layer.EntropyHistogram.Select(bin =>
            bin.Tokens == 0 ? ' ' : Steps[(int)(bin.Tokens * (Steps.Length - 1) / highest)]);
        return new([.. steps]);
    }

    private static Table TableOf(params ReadOnlySpan<string> headers)
    {
        var table = new Table().Border(TableBorder.Simple);
        foreach (var header in headers)
            table.AddColumn(new TableColumn(header).RightAligned());
        return table;
    }
}
