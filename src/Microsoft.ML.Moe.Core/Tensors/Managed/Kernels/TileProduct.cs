namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>What the tiles of one product have in common.</summary>
/// <param name="Depth">k.</param>
/// <param name="BStride">Distance of b's rows.</param>
/// <param name="CStride">Distance of c's rows.</param>
/// <param name="Accumulate">Whether to add to c.</param>
internal readonly record struct TileProduct(int Depth, nint BStride, nint CStride, bool Accumulate);
