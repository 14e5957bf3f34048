using System.Globalization;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Experiments.Studies;

/// <summary>A router and its budget.</summary>
/// <param name="Kind">The router.</param>
/// <param name="ExpertsPerToken">k.</param>
internal sealed record RouterArm(RouterKind Kind, double ExpertsPerToken)
{
    /// <summary>The router's name.</summary>
    public string Router => Kind switch
    {
        RouterKind.TokenChoice => "Token Choice",
        RouterKind.ExpertChoice => "Expert Choice",
        _ => "Unified",
    };

    /// <summary>Name in logs and tables.</summary>
    public override string ToString() => $"{Router}, k = {ExpertsPerToken.ToString(CultureInfo.InvariantCulture)}";

    public void ApplyTo(TextClassifierOptions options)
    {
        options.Router = Kind;
        options.ExpertsPerToken = ExpertsPerToken;
    }
}
