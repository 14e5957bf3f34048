namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Places of <see cref="PackedRows"/>, which the compiler writes into the tile's instructions.</summary>
internal readonly struct PackedPlaces : IRowPlaces
{
    public nint Distance => PackedRows.Stride;

    public nint Step => 1;
}
