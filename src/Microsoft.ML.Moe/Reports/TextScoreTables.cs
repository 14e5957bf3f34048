using Microsoft.ML.Moe.Generation;

namespace Microsoft.ML.Moe.Reports;

/// <summary>How well a model tells texts with one router or another, as tables of text.</summary>
internal static class TextScoreTables
{
    public static string Of(IEnumerable<RouterScore> scores)
    {
        var table = new TextTable().Text("router").Number("perplexity").Number("loss").Number("experts per token");
        foreach (var (router, score) in scores)
        {
            table.Row(
                $"{router}",
                DisplayText.Number(score.Perplexity),
                DisplayText.Number(score.Loss),
                DisplayText.TwoDigits(score.ExpertsPerToken));
        }

        return table.ToString();
    }

    public static string Of(IEnumerable<RandomExpertsScore> scores)
    {
        var table = new TextTable().Number("H* / ln N").Number("uncertain tokens").Number("perplexity").Number("uncertain ones at random")
            .Number("as many arbitrary ones");
        foreach (var score in scores)
        {
            table.Row(
                DisplayText.TwoDigits(score.Threshold),
                DisplayText.Percent(score.UncertainShare),
                DisplayText.Number(score.Own.Perplexity),
                DisplayText.Number(score.Uncertain.Perplexity),
                DisplayText.Number(score.Arbitrary.Perplexity));
        }

        return table.ToString();
    }
}
