namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>A number that the compiler knows, as a type parameter: it makes code of its own for each, without the branches not taken.</summary>
internal interface IConstant
{
    /// <summary>The number.</summary>
    static abstract int Value { get; }
}
