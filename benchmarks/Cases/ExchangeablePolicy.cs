using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>A policy that is chosen anew for each pass, so that both sides of a comparison use the same weights.</summary>
internal sealed class ExchangeablePolicy(RoutingPolicy policy) : RoutingPolicy
{
    public RoutingPolicy Policy { get; set; } = policy;

    public override RoutingPlan Route(ReadOnlySpan<float> logitsTE, int experts, SequenceLayout layout, bool training) =>
        Policy.Route(logitsTE, experts, layout, training);
}
