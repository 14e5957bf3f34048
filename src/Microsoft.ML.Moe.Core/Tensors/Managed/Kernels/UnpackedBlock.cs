namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>What the tiles of a product of matrices that are not packed have in common; see <see cref="Kernels.MultiplyUnpacked"/>.</summary>
internal readonly record struct UnpackedBlock(
    int Rows, int Depth, nint ARow, nint AStep, nint BStride, nint CStride, bool Accumulate);
