using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Reports;

/// <summary>What text and page say alike about a report.</summary>
internal static class Summary
{
    private const int TokensNamed = 8;
    private const int LongestToken = 20;

    /// <summary>Columns of the overview of layers, and what they mean.</summary>
    public static IReadOnlyList<(string Name, string Meaning)> Columns { get; } =
    [
        ("block", "Number of the transformer block."),
        ("experts per token", "Mean number of experts that a token was sent to."),
        ("load variation", "Standard deviation of the experts' pairs over their mean: 0 when all are used alike."),
        ("load balancing", "Switch Transformers' load-balancing value: 1 when balanced, more when the router prefers few experts."),
        ("no expert", "Tokens that no expert got."),
        ("dropped", "Token–expert pairs turned away because an expert was full."),
        ("mean entropy", "How unsure the router is, in nats."),
        ("mean entropy / ln N", "The same as a share of the largest possible entropy, the logarithm of the number of experts."),
        ("uncertain", "Tokens whose router entropy reaches the threshold."),
        ("output similarity", "Mean cosine between the outputs of two experts: near 1 they have collapsed into one."),
    ];

    /// <summary>Table and router in a sentence.</summary>
    public static string Of(RoutingReport report)
    {
        var cutOff = report.TokensCutOff == 0 ? "" : $" ({DisplayText.Count(report.TokensCutOff)} more were cut off)";
        return $"{DisplayText.Count(report.Rows)} rows, {DisplayText.Count(report.Tokens)} tokens{cutOff}; "
            + $"{report.Experts} experts; router: {report.Router}.";
    }

    /// <summary>What counts as uncertain.</summary>
    public static string Uncertain(RoutingReport report) =>
        $"A token is uncertain from a router entropy of {DisplayText.Number(report.UncertainThreshold)} nats; "
        + $"the largest possible, ln {report.Experts}, is {DisplayText.Number(report.MaximumEntropy)}.";

    /// <summary>What is uncertain in each stack, in a sentence for each; none where a report has only layers.</summary>
    public static IEnumerable<string> Stacks(RoutingReport report) => report.Stacks.Select(stack =>
    {
        var name = report.Stacks.Count == 1 ? "All layers" : stack.IsDecoder ? "Decoder" : "Encoder";
        string[] most =
        [
            .. stack.MostUncertainTokens.Take(TokensNamed)
                .Select(t => $"{WrappedText.Shortened(DisplayText.Token(t.Text), LongestToken)} ({DisplayText.Count(t.Count)})"),
        ];
        var often = most.Length == 0 ? "" : $", most often {string.Join(", ", most)}";
        return $"{name}: {DisplayText.Percent(stack.UncertainShare)} of the tokens are uncertain{often}.";
    });

    /// <summary>A layer's row of the overview.</summary>
    public static string[] Cells(LayerRoutingReport layer, RoutingReport report) =>
    [
        $"{layer.Block}",
        DisplayText.Short(layer.ExpertsPerToken),
        DisplayText.Number(layer.LoadVariation),
        DisplayText.Number(layer.LoadBalancing),
        DisplayText.Percent(layer.ShareWithoutExpert),
        DisplayText.Percent(layer.DroppedShare),
        DisplayText.Number(layer.MeanEntropy),
        report.MaximumEntropy == 0 ? "–" : DisplayText.Percent(layer.MeanEntropy / report.MaximumEntropy),
        DisplayText.Percent(layer.UncertainShare),
        layer.MeanOutputSimilarity is { } similarity ? DisplayText.Number(similarity) : "–",
    ];

    /// <summary>The experts by number, or only the most used ones where there are many.</summary>
    public static IReadOnlyList<(int Expert, ExpertLoad Load)> Busiest(LayerRoutingReport layer, int most) => layer.Load.Count <= most
        ? [.. layer.Load.Index()]
        : [.. layer.Load.Index().OrderByDescending(e => e.Item.Pairs).Take(most)];

    /// <summary>Where a matrix is largest off the diagonal; null for a single expert.</summary>
    public static (int Row, int Column, double Value)? ClosestPair(IReadOnlyList<IReadOnlyList<double>> matrix) =>
        LargestPairs(matrix, 1) is [var first, ..] ? first : null;

    /// <summary>The largest values of a matrix off the diagonal, falling.</summary>
    public static IReadOnlyList<(int Row, int Column, double Value)> LargestPairs(
        IReadOnlyList<IReadOnlyList<double>> matrix, int most) =>
        [
            .. matrix.Index()
                .SelectMany(row => row.Item.Index().Where(c => c.Index != row.Index).Select(c => (row.Index, c.Index, c.Item)))
                .OrderByDescending(entry => entry.Item)
                .Take(most),
        ];
}
