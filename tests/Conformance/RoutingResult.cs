namespace Microsoft.ML.Moe.Conformance;

/// <summary>What comes out of a case, in the form of the golden files' <c>expected</c>.</summary>
/// <param name="Pairs">[row, position, expert, weight], sorted.</param>
/// <param name="Broadcast">[row, position].</param>
/// <param name="Entropy">[rows][positions], in nats.</param>
/// <param name="LoadBalanceLoss">Load-balancing loss over tokens.</param>
/// <param name="ZLoss">Router z-loss over tokens.</param>
public sealed record RoutingResult(double[][] Pairs, int[][] Broadcast, double[][] Entropy, double LoadBalanceLoss, double ZLoss);
