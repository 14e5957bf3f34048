namespace Microsoft.ML.Moe.Routing;

/// <summary>Exchanges policies for one forward pass, as training with a global workspace does.</summary>
/// <param name="block">Number of the transformer block, from 0.</param>
/// <param name="own">The model's own policy there.</param>
/// <returns>The policy to use.</returns>
internal delegate RoutingPolicy PolicySelector(int block, RoutingPolicy own);
