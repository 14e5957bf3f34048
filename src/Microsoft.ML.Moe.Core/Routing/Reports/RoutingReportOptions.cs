namespace Microsoft.ML.Moe.Routing;

/// <summary>What a <see cref="RoutingReport"/> shall hold. All of it can stay as it is.</summary>
public sealed class RoutingReportOptions
{
    /// <summary>
    /// Default of <see cref="UncertainThreshold"/>: 0.75, close to GW-MoE's 1.6 nats for 8 experts, which are 0.77 · ln 8.
    /// </summary>
    public const double DefaultUncertainThreshold = 0.75;

    /// <summary>
    /// From which router entropy on a token counts as uncertain, as a share of the largest, ln N: within [0, 1], where 1 is out of
    /// reach. Divide a threshold in nats by ln N. Default <see cref="DefaultUncertainThreshold"/>.
    /// </summary>
    public double UncertainThreshold { get; set; } = DefaultUncertainThreshold;

    /// <summary>Bins of the entropy histogram, equally wide over [0, ln N]. Within [1, 1000]. Default 20.</summary>
    public int EntropyBins { get; set; } = 20;

    /// <summary>Most frequently uncertain tokens to list for each layer. Within [0, 1000]. Default 20.</summary>
    public int TopTokens { get; set; } = 20;

    /// <summary>
    /// Tokens of each layer, drawn at random, that all experts are run on to compare their outputs; fewer with very many or very wide
    /// experts, so that it takes seconds at most, and 0 leaves the comparison out. Within [0, 65536]. Default 256.
    /// </summary>
    public int SampledTokens { get; set; } = 256;

    /// <summary>Is called now and then with the number of rows done, on the calling thread. Default null.</summary>
    public Action<long>? RowsCompleted { get; set; }

    /// <summary>Checks the options.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An option is impossible; the message names it.</exception>
    public void Validate()
    {
        OptionCheck.Range(UncertainThreshold, 0, 1, nameof(UncertainThreshold));
        OptionCheck.Range(EntropyBins, 1, 1000, nameof(EntropyBins));
        OptionCheck.Range(TopTokens, 0, 1000, nameof(TopTokens));
        OptionCheck.Range(SampledTokens, 0, 1 << 16, nameof(SampledTokens));
    }

    /// <summary>A copy that later changes do not reach.</summary>
    internal RoutingReportOptions Copy() => (RoutingReportOptions)MemberwiseClone();
}
