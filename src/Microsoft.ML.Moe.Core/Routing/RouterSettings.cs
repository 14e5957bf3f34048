namespace Microsoft.ML.Moe.Routing;

/// <summary>A policy as plain data, as options and model files hold it.</summary>
/// <param name="Kind">Which policy.</param>
/// <param name="ExpertsPerToken">k, over 0; a whole number with Token Choice.</param>
/// <param name="Alpha">Share of the expert's view with Unified, within [0, 1]. Default 0.5.</param>
/// <param name="Scope">Which tokens compete, with Expert Choice and Unified. Default <see cref="RoutingScope.Sequence"/>.</param>
/// <param name="NormalizeWeights">Whether a token's weights are divided by their sum, with Token Choice and Unified. Default false.</param>
public sealed record RouterSettings(
    RouterKind Kind,
    double ExpertsPerToken,
    double Alpha = 0.5,
    RoutingScope Scope = RoutingScope.Sequence,
    bool NormalizeWeights = false)
{
    /// <summary>The policy.</summary>
    /// <exception cref="ArgumentException">A setting is impossible; the message names it.</exception>
    public RoutingPolicy CreatePolicy() => Kind switch
    {
        RouterKind.TokenChoice when ExpertsPerToken != Math.Floor(ExpertsPerToken) => throw new ArgumentOutOfRangeException(
            nameof(ExpertsPerToken),
            ExpertsPerToken,
            $"{nameof(ExpertsPerToken)} is a whole number with Token Choice; Expert Choice and Unified take fractions."),
        RouterKind.TokenChoice => new TokenChoice((int)ExpertsPerToken, NormalizeWeights),
        RouterKind.ExpertChoice => new ExpertChoice(ExpertsPerToken, Scope),
        RouterKind.Unified => new Unified(ExpertsPerToken, Alpha, Scope, NormalizeWeights),
        _ => throw new ArgumentOutOfRangeException(nameof(Kind), Kind, "Not a router."),
    };
}
