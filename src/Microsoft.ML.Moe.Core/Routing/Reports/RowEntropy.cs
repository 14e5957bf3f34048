namespace Microsoft.ML.Moe.Routing;

/// <summary>
/// How unsure a model's routers are about a row: the router entropy H = −Σ p·ln(p + 1e-5) over the row's tokens and all MoE layers.
/// </summary>
/// <param name="Mean">The mean, in nats, within about [0, ln N].</param>
/// <param name="Max">The largest, in nats.</param>
public readonly record struct RowEntropy(float Mean, float Max);
