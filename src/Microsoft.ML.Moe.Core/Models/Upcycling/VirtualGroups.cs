namespace Microsoft.ML.Moe.Models;

/// <summary>
/// Virtual groups (He et al. 2024, "Upcycling large language models into mixture of experts", arXiv 2410.07524, section 3): the hidden units
/// are cut into G shards, expert e holds shard e mod G, and the G experts of a group have one router row, so that at first a token takes
/// whole groups, each of them the dense network.
/// </summary>
internal static class VirtualGroups
{
    /// <summary>The units of an expert.</summary>
    /// <param name="expert">Its number.</param>
    /// <param name="granularity">G, which divides <paramref name="hidden"/>.</param>
    /// <param name="hidden">F of the dense network.</param>
    public static int[] Units(int expert, int granularity, int hidden) =>
        [.. Enumerable.Range(expert % granularity * (hidden / granularity), hidden / granularity)];

    /// <summary>
    /// By what the sum over the chosen experts falls short of the dense network under a uniform router: their weights are 1/E each, or 1/k
    /// where they are divided by their sum.
    /// </summary>
    /// <param name="experts">E.</param>
    /// <param name="granularity">G.</param>
    /// <param name="expertsPerToken">k.</param>
    /// <param name="isNormalized">Whether a token's weights are divided by their sum: top-k before the softmax.</param>
    public static double Scale(int experts, int granularity, double expertsPerToken, bool isNormalized) =>
        isNormalized ? granularity : (double)experts / granularity * granularity * granularity / expertsPerToken;

    /// <summary>
    /// Factor of the matrices and b1, so that the output grows by the scale where the activation is homogeneous: the output is of the third
    /// degree in the weights with a gate, else of the second. b2 stays as it is, as published.
    /// </summary>
    public static float WeightScale(double scale, bool hasGate) => (float)Math.Pow(scale, hasGate ? 1.0 / 3 : 1.0 / 2);

    /// <summary>Gives the experts of a group what the group has.</summary>
    public static void Repeat(ReadOnlySpan<float> groups, Span<float> experts)
    {
        for (var expert = 0; expert < experts.Length; expert++)
            experts[expert] = groups[expert / (experts.Length / groups.Length)];
    }
}
