namespace Microsoft.ML.Moe.Routing;

/// <summary>A policy as plain data, as options and model files hold it.</summary>
/// <param name="Kind">Which policy.</param>
/// <param name="ExpertsPerToken">k, over 0; a whole number with Token Choice.</param>
/// <param name="Alpha">Share of the expert's view with Unified, within [0, 1]. Default 0.5.</param>
/// <param name="Scope">Which tokens compete, with Expert Choice and Unified. Default <see cref="RoutingScope.Sequence"/>.</param>
/// <param name="NormalizeWeights">Whether a token's weights are divided by their sum, with Token Choice and Unified. Default false.</param>
/// <param name="CapacityFactor">
/// How many times the pairs of an even split an expert takes at most, over 0: ⌈factor·T·k/N⌉ of each group of T tokens
/// (<see cref="ExpertCapacity"/>). Default null: no limit.
/// </param>
/// <param name="CapacityPriority">Who keeps an expert that is full. Default <see cref="CapacityPriority.Position"/>.</param>
/// <param name="MaskPadding">
/// Whether padding stays out of the competition, with Expert Choice, Unified and a capacity. Default true. With false each sequence of
/// a batch is filled to the longest with padding, as in USMoE's code: results then depend on which rows are scored together.
/// </param>
public sealed record RouterSettings(
    RouterKind Kind,
    double ExpertsPerToken,
    double Alpha = 0.5,
    RoutingScope Scope = RoutingScope.Sequence,
    bool NormalizeWeights = false,
    double? CapacityFactor = null,
    CapacityPriority CapacityPriority = CapacityPriority.Position,
    bool MaskPadding = true)
{
    /// <summary>The policy.</summary>
    /// <exception cref="ArgumentException">A setting is impossible; the message names it.</exception>
    public RoutingPolicy CreatePolicy()
    {
        RoutingPolicy policy = Kind switch
        {
            RouterKind.TokenChoice when ExpertsPerToken != Math.Floor(ExpertsPerToken) => throw new ArgumentOutOfRangeException(
                nameof(ExpertsPerToken),
                ExpertsPerToken,
                $"{nameof(ExpertsPerToken)} is a whole number with Token Choice; Expert Choice and Unified take fractions."),
            RouterKind.TokenChoice => new TokenChoice((int)ExpertsPerToken, NormalizeWeights),
            RouterKind.ExpertChoice => new ExpertChoice(ExpertsPerToken, Scope, MaskPadding),
            RouterKind.Unified => new Unified(ExpertsPerToken, Alpha, Scope, NormalizeWeights, MaskPadding),
            _ => throw new ArgumentOutOfRangeException(nameof(Kind), Kind, "Not a router."),
        };
        if (CapacityFactor is not { } factor)
            return policy;
        if (!(factor is > 0 and <= ExpertCapacity.LargestFactor))
        {
            throw new ArgumentOutOfRangeException(
                nameof(CapacityFactor), factor, $"{nameof(CapacityFactor)} is over 0; null means no limit.");
        }

        return ExpertCapacity.FromFactor(policy, factor, ExpertsPerToken, Scope, CapacityPriority, MaskPadding);
    }
}
