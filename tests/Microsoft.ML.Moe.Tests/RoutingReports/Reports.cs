using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tests.RoutingReports;

/// <summary>Reports made up for tests of how they are shown.</summary>
internal static class Reports
{
    /// <summary>A report of one layer whose only uncertain token has this text.</summary>
    public static RoutingReport With(string token) => Of(4, [new(token, 7, 1)]);

    /// <summary>A report of one layer.</summary>
    public static RoutingReport Of(int experts, IReadOnlyList<UncertainToken> tokens) => new(
        Router.Unified(1.5),
        experts,
        Rows: 1234,
        Tokens: 45_678,
        TokensCutOff: 9,
        UncertainThreshold: 0.75 * Math.Log(experts),
        [Layer(experts, tokens)]);

    private static LayerRoutingReport Layer(int experts, IReadOnlyList<UncertainToken> tokens)
    {
        // expert e has e + 1 parts of all pairs
        var parts = experts * (experts + 1) / 2.0;
        return new()
        {
            Block = 5,
            Tokens = 45_678,
            Pairs = 68_517,
            DroppedPairs = 683,
            Load =
            [
                .. Enumerable.Range(0, experts).Select(e =>
                    new ExpertLoad((long)(68_517 * (e + 1) / parts), (e + 1) / parts, 1.5 * (e + 1) / parts, 1.0 / experts)),
            ],
            LoadVariation = 0.4321,
            Importance = 0.0123,
            LoadBalancing = 1.0567,
            TokensByExperts = [4_567, 41_111, .. new long[experts - 1]],
            EntropyHistogram = [new(0, 0.5, 40_000, 0), new(0.5, 1, 5_678, 4_000)],
            MeanEntropy = 0.321,
            UncertainTokens = 4_000,
            MostUncertainTokens = tokens,
            CoActivation = Matrix(experts, (i, j) => (i + 1.0) / (i + j + 2)),
            OutputSimilarity = Matrix(experts, (i, j) => (i + j) % 2 == 0 ? 0.9 : -0.25),
            SampledTokens = 256,
        };
    }

    private static double[][] Matrix(int size, Func<int, int, double> value) =>
        [.. Enumerable.Range(0, size).Select(i => (double[])[.. Enumerable.Range(0, size).Select(j => i == j ? 1 : value(i, j))])];
}
