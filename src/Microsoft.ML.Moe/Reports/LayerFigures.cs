using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Reports;

/// <summary>The figures about one layer. Each says in a sentence what it shows, and has its numbers as a table beneath.</summary>
internal sealed class LayerFigures(HtmlWriter html, LayerRoutingReport layer, RoutingReport report)
{
    private const int ExpertsShown = 64;
    private const int ExpertsDrawn = 24;
    private const int TokensDrawn = 30;

    /// <summary>Writes all figures.</summary>
    public void Write()
    {
        html.Raw("<div class=\"figures\">\n");
        WriteLoad();
        WriteExpertCounts();
        WriteEntropy();
        WriteUncertainTokens();
        new MatrixFigure(html, layer.CoActivation, "Experts that work together", DisplayText.Percent).Write(
            "Row by row: of the tokens that an expert gets, the share that each other expert gets too.",
            layer.Pairs == 0 ? "No token was sent to an expert." : null);
        new MatrixFigure(html, layer.OutputSimilarity, "Experts that do the same", DisplayText.TwoDigits).Write(
            "Mean cosine between the outputs of two experts on the same tokens, before weighting: near 1 they are interchangeable "
            + $"(representation collapse). Measured on {DisplayText.Count(layer.SampledTokens)} tokens.",
            layer.OutputSimilarity is null ? "No tokens were sampled." : null);
        html.Raw("</div>\n");
    }

    private void WriteLoad()
    {
        var (pairs, probability) = (BarSeries.First("share of pairs"), BarSeries.Second("mean router probability"));
        var even = 1.0 / layer.Load.Count;
        var shown = Summary.Busiest(layer, ExpertsShown);
        var drawn = Summary.Busiest(layer, ExpertsDrawn);
        var title = drawn.Count < layer.Load.Count ? $"Expert load (the {drawn.Count} most used)" : "Expert load";
        WriteChart(
            title,
            "How the token–expert pairs spread over the experts, and the router's mean probability for each; last, an even split.",
            [
                .. drawn.SelectMany(e => (Bar[])
                [
                    new($"expert {e.Expert}", e.Load.ShareOfPairs, DisplayText.Percent(e.Load.ShareOfPairs), pairs),
                    new($"expert {e.Expert}", e.Load.MeanProbability, DisplayText.Percent(e.Load.MeanProbability), probability),
                ]),
                new("even split", even, DisplayText.Percent(even), BarSeries.Reference("even split")),
            ],
            ["expert", "pairs", "share of pairs", "share of tokens", "mean probability"],
            shown.Select(e => new[]
            {
                $"{e.Expert}",
                DisplayText.Count(e.Load.Pairs),
                DisplayText.Percent(e.Load.ShareOfPairs),
                DisplayText.Percent(e.Load.ShareOfTokens),
                DisplayText.Percent(e.Load.MeanProbability),
            }));
    }

    private void WriteExpertCounts()
    {
        // up to the largest number that occurs
        var last = Math.Max(1, layer.TokensByExperts.Index().LastOrDefault(n => n.Item > 0).Index);
        var shown = layer.TokensByExperts.Take(last + 1).Select(n => ShareOfTokens(n)).ToList();
        var tokens = BarSeries.First("share of tokens");
        WriteChart(
            "Experts per token",
            "How many tokens were sent to 0, 1, 2 … experts; a token without an expert passes the layer unchanged.",
            [
                .. shown.Index().Select(n => new Bar(
                    n.Index == 1 ? "1 expert" : $"{n.Index} experts", n.Item, DisplayText.Percent(n.Item), tokens)),
            ],
            ["experts", "tokens", "share"],
            shown.Index().Select(n => new[]
            {
                $"{n.Index}", DisplayText.Count(layer.TokensByExperts[n.Index]), DisplayText.Percent(n.Item),
            }));
    }

    private void WriteEntropy()
    {
        var bins = layer.EntropyHistogram;
        WriteChart(
            "Router entropy",
            $"How unsure the router is about the tokens, from 0 (one expert for certain) to ln {layer.Load.Count} (all alike). "
            + $"From {DisplayText.Number(report.UncertainThreshold)} nats a token counts as uncertain: "
            + $"{DisplayText.Percent(layer.UncertainShare)} are.",
            [.. bins.SelectMany(Bars)],
            ["from", "to", "tokens", "of them uncertain"],
            bins.Select(bin => new[]
            {
                DisplayText.Number(bin.From),
                DisplayText.Number(bin.To),
                DisplayText.Count(bin.Tokens),
                DisplayText.Count(bin.UncertainTokens),
            }));
    }

    private void WriteUncertainTokens()
    {
        const string title = "Most often uncertain tokens";
        const string meaning =
            "Tokens that the router is most often unsure about: while fine-tuning, a global workspace (GW-MoE) would broadcast them to "
            + "all experts.";
        if (layer.MostUncertainTokens.Count == 0)
        {
            html.Line($"<figure><h3>{title}</h3><p>{meaning}</p><p class=\"none\">No token was uncertain.</p></figure>");
            return;
        }

        WriteChart(
            title,
            meaning,
            [
                .. layer.MostUncertainTokens.Take(TokensDrawn).Select(t =>
                    new Bar(DisplayText.Token(t.Text), t.Count, DisplayText.Count(t.Count), BarSeries.Second("times uncertain"))),
            ],
            ["token", "times uncertain", "share of all uncertain"],
            layer.MostUncertainTokens.Select(t => new[]
            {
                DisplayText.Token(t.Text), DisplayText.Count(t.Count), DisplayText.Percent(t.ShareOfUncertain),
            }));
    }

    // a bin that the threshold divides has a bar for each of its parts
    private IEnumerable<Bar> Bars(EntropyBin bin)
    {
        var label = $"{DisplayText.TwoDigits(bin.From)} – {DisplayText.TwoDigits(bin.To)}";
        var certain = ShareOfTokens(bin.Tokens - bin.UncertainTokens);
        var uncertain = ShareOfTokens(bin.UncertainTokens);
        if (certain > 0 || uncertain == 0)
            yield return new(label, certain, DisplayText.Percent(certain), BarSeries.First("certain"));
        if (uncertain > 0)
            yield return new(label, uncertain, DisplayText.Percent(uncertain), BarSeries.Second("uncertain"));
    }

    private void WriteChart(
        string title, string meaning, IReadOnlyList<Bar> bars, string[] headers, IEnumerable<string[]> rows)
    {
        html.Line($"<figure><h3>{title}</h3><p>{meaning}</p>");
        BarChart.Write(html, title, bars);
        html.Raw("<details><summary>Numbers</summary><div class=\"scroll\">");
        TableMarkup.Write(html, headers, rows);
        html.Raw("</div></details></figure>\n");
    }

    private double ShareOfTokens(long tokens) => layer.Tokens == 0 ? 0 : (double)tokens / layer.Tokens;
}
