namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Where the elements of a tile's first factor lie.</summary>
internal interface IRowPlaces
{
    /// <summary>Floats between its rows.</summary>
    nint Distance { get; }

    /// <summary>Floats between the elements of a row.</summary>
    nint Step { get; }
}

/// <summary>Places of a matrix that is read where it lies.</summary>
/// <param name="matrix">The matrix; all its rows, in order.</param>
internal readonly struct MatrixPlaces(in Matrix matrix) : IRowPlaces
{
    public nint Distance { get; } = matrix.IsTransposed ? 1 : matrix.Stride;

    public nint Step { get; } = matrix.IsTransposed ? matrix.Stride : 1;
}

/// <summary>Places of <see cref="PackedRows"/>, which the compiler writes into the tile's instructions.</summary>
internal readonly struct PackedPlaces : IRowPlaces
{
    public nint Distance => PackedRows.Stride;

    public nint Step => 1;
}
