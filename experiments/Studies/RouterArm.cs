using System.Globalization;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Experiments.Studies;

/// <summary>A router and its budget.</summary>
/// <param name="Kind">The router.</param>
/// <param name="ExpertsPerToken">k.</param>
internal sealed record RouterArm(RouterKind Kind, double ExpertsPerToken)
{
    /// <summary>The router's name.</summary>
    public string Name => Kind switch
    {
        RouterKind.TokenChoice => "Token Choice",
        RouterKind.ExpertChoice => "Expert Choice",
        _ => "Unified",
    };

    /// <summary>Name in logs and tables.</summary>
    public override string ToString() => $"{Name}, k = {ExpertsPerToken.ToString(CultureInfo.InvariantCulture)}";

    /// <summary>The router, all else as by default.</summary>
    public Router Router => Kind switch
    {
        RouterKind.TokenChoice => Router.TokenChoice((int)ExpertsPerToken),
        RouterKind.ExpertChoice => Router.ExpertChoice(ExpertsPerToken),
        _ => Router.Unified(ExpertsPerToken),
    };
}
