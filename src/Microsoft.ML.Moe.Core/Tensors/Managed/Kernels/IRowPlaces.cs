namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Where the elements of a tile's first factor lie.</summary>
internal interface IRowPlaces
{
    /// <summary>Floats between its rows.</summary>
    nint Distance { get; }

    /// <summary>Floats between the elements of a row.</summary>
    nint Step { get; }
}
