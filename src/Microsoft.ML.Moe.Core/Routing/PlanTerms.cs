namespace Microsoft.ML.Moe.Routing;

/// <summary>What a policy says about the pairs that it has chosen.</summary>
/// <param name="Weights">Rule of the pairs' weights.</param>
/// <param name="HasBroadcast">Whether tokens were sent to all experts: those flagged in <see cref="PairMatrix.Broadcast"/>.</param>
/// <param name="DroppedPairs">See <see cref="RoutingPlan.DroppedPairs"/>.</param>
/// <param name="PassesBroadcast">Whether broadcast tokens pass by the experts (<see cref="GlobalWorkspaceRule.AsReleased"/>): they have no pairs.</param>
internal readonly record struct PlanTerms(
    CombineRule Weights, bool HasBroadcast = false, int DroppedPairs = 0, bool PassesBroadcast = false)
{
    /// <summary>The terms of two runs of sequences together, by one policy.</summary>
    public PlanTerms With(PlanTerms other) => new(
        Weights,
        HasBroadcast || other.HasBroadcast,
        DroppedPairs + other.DroppedPairs,
        PassesBroadcast || other.PassesBroadcast);
}
