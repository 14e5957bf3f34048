using System.Text;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Reports;

/// <summary>A routing report as plain text, at most <see cref="TextTable.MaximumWidth"/> columns wide.</summary>
internal sealed class RoutingReportText
{
    private const int LayersAbreast = 6;
    private const int ExpertsShown = 16;
    private const int TokensShown = 10;
    private const int LongestToken = 40;
    private const int BarWidth = 24;
    private const string Steps = "▁▂▃▄▅▆▇█";

    private readonly StringBuilder _text = new();

    public static string Of(RoutingReport report)
    {
        var text = new RoutingReportText();
        text.Sentences(Summary.Of(report));
        text.Sentences(Summary.Uncertain(report));
        foreach (var stack in Summary.Stacks(report))
            text.Sentences(stack);
        foreach (var layers in report.Layers.Chunk(LayersAbreast))
            text.Overview(layers, report);
        foreach (var layer in report.Layers)
            text.Layer(layer);
        return text._text.ToString();
    }

    // a column for each layer: a column for each figure would not fit on a line
    private void Overview(LayerRoutingReport[] layers, RoutingReport report)
    {
        var cells = layers.Select(layer => Summary.Cells(layer, report)).ToList();
        var table = new TextTable().Text("");
        foreach (var layer in layers)
            table.Number($"block {layer.Block}");
        foreach (var (figure, (name, _)) in Summary.Columns.Index().Skip(1))
            table.Row([name, .. cells.Select(layer => layer[figure])]);
        _text.Append('\n').Append(table);
    }

    private void Layer(LayerRoutingReport layer)
    {
        _text.Append('\n').Append($"Block {layer.Block}\n\n").Append(Load(layer));
        var hidden = layer.Load.Count - ExpertsShown;
        if (hidden > 0)
            Sentences($"… and {hidden} more experts, none of them used more than these.");
        List(
            "Tokens by number of experts:",
            ", ",
            [
                .. layer.TokensByExperts.Index().Where(n => n.Item > 0)
                    .Select(n => $"{n.Index}: {DisplayText.Percent((double)n.Item / layer.Tokens)}"),
            ]);
        _text.Append($"Router entropy from 0 to ln {layer.Load.Count}: |{Sparkline(layer)}|\n");
        List(
            "Most often uncertain:",
            "  ",
            [
                .. layer.MostUncertainTokens.Take(TokensShown)
                    .Select(t => $"{WrappedText.Shortened(DisplayText.Token(t.Text), LongestToken)} ({DisplayText.Count(t.Count)})"),
            ]);
        if (Summary.ClosestPair(layer.CoActivation) is (var from, var to, > 0 and var share))
            Sentences(
                $"Most often together: {DisplayText.Percent(share)} of the tokens of expert {from} go to expert {to} too.");
        if (layer.OutputSimilarity is { } similarity && Summary.ClosestPair(similarity) is var (left, right, cosine))
            Sentences(
                $"Most alike: experts {left} and {right}, cosine {DisplayText.Number(cosine)} "
                + $"on {DisplayText.Count(layer.SampledTokens)} tokens.");
    }

    private static TextTable Load(LayerRoutingReport layer)
    {
        var largest = layer.Load.Max(e => e.ShareOfPairs);
        var table = new TextTable().Number("expert").Number("share of pairs").Text("").Number("share of tokens").Number("mean probability");
        foreach (var (expert, load) in Summary.Busiest(layer, ExpertsShown))
            table.Row(
                $"{expert}",
                DisplayText.Percent(load.ShareOfPairs),
                new string('█', largest == 0 ? 0 : (int)Math.Round(BarWidth * load.ShareOfPairs / largest)),
                DisplayText.Percent(load.ShareOfTokens),
                DisplayText.Percent(load.MeanProbability));
        return table;
    }

    private static string Sparkline(LayerRoutingReport layer)
    {
        var highest = layer.EntropyHistogram.Max(bin => bin.Tokens);
        var steps = layer.EntropyHistogram.Select(bin =>
            bin.Tokens == 0 ? ' ' : Steps[(int)(bin.Tokens * (Steps.Length - 1) / highest)]);
        return new([.. steps]);
    }

    private void Sentences(string text) =>
        _text.AppendJoin('\n', WrappedText.Lines(text.Split(' '), TextTable.MaximumWidth, " ")).Append('\n');

    // items after a heading, continued on indented lines
    private void List(string heading, string separator, params ReadOnlySpan<string> items)
    {
        const string indent = "  ";
        if (items.Length > 0)
            _text.AppendJoin(
                '\n' + indent,
                WrappedText.Lines([$"{heading} {items[0]}", .. items[1..]], TextTable.MaximumWidth - indent.Length, separator)).Append('\n');
    }
}
