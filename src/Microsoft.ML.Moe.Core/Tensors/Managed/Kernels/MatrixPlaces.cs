namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Places of a matrix that is read where it lies.</summary>
/// <param name="matrix">The matrix; all its rows, in order.</param>
internal readonly struct MatrixPlaces(in Matrix matrix) : IRowPlaces
{
    public nint Distance { get; } = matrix.IsTransposed ? 1 : matrix.Stride;

    public nint Step { get; } = matrix.IsTransposed ? matrix.Stride : 1;
}
