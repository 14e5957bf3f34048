namespace Microsoft.ML.Moe.Routing;

/// <summary>What a policy says about the pairs that it has chosen.</summary>
/// <param name="Weights">Rule of the pairs' weights.</param>
/// <param name="HasBroadcast">Whether tokens were sent to all experts: those flagged in <see cref="PairMatrix.Broadcast"/>.</param>
/// <param name="DroppedPairs">See <see cref="RoutingPlan.DroppedPairs"/>.</param>
internal readonly record struct PlanTerms(CombineRule Weights, bool HasBroadcast = false, int DroppedPairs = 0)
{
    /// <summary>See <see cref="RoutingPlan.PassesDropped"/>.</summary>
    public bool PassesDropped { get; init; }

    /// <summary>See <see cref="RoutingPlan.PassesBroadcast"/>.</summary>
    public bool PassesBroadcast { get; init; }

    /// <summary>The terms of two runs of sequences together, by one policy.</summary>
    public PlanTerms With(PlanTerms other) => this with
    {
        HasBroadcast = HasBroadcast || other.HasBroadcast,
        DroppedPairs = DroppedPairs + other.DroppedPairs,
        PassesBroadcast = PassesBroadcast || other.PassesBroadcast,
    };
}
