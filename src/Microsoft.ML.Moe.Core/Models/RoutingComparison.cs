using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Models;

/// <summary>What a model does with one router; a row of <see cref="Classifier{TRow}.CompareRouting"/>'s table.</summary>
/// <param name="Router">The router.</param>
/// <param name="Accuracy">Share of the rows whose most probable class is their label, within [0, 1].</param>
/// <param name="LogLoss">Mean negative log-likelihood of the labels, in nats.</param>
/// <param name="ExpertsPerToken">Experts that a token was sent to, the mean over tokens and MoE layers, as measured.</param>
/// <param name="FlopsPerRow">
/// Mean floating-point operations of a row's forward pass: two for each multiply-add of a product of matrices, those of the experts
/// counted from what was routed. Table look-ups (the wide branch among them), norms, activations, softmax and the choice of experts
/// are not counted.
/// </param>
/// <param name="MillisecondsPerRow">
/// Wall-clock time of the rows' forward passes in batches, after a warm-up, by the number of rows. The routers of one call take turns,
/// so that their times can be compared with each other.
/// </param>
public sealed record RoutingComparison(
    RouterSettings Router, double Accuracy, double LogLoss, double ExpertsPerToken, double FlopsPerRow, double MillisecondsPerRow);
