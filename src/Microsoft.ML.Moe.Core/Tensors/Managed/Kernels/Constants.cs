namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>A number that the compiler knows, as a type parameter: it makes code of its own for each, without the branches not taken.</summary>
internal interface IConstant
{
    /// <summary>The number.</summary>
    static abstract int Value { get; }
}

/// <inheritdoc cref="IConstant"/>
internal readonly struct One : IConstant
{
    public static int Value => 1;
}

/// <inheritdoc cref="IConstant"/>
internal readonly struct Two : IConstant
{
    public static int Value => 2;
}

/// <inheritdoc cref="IConstant"/>
internal readonly struct Three : IConstant
{
    public static int Value => 3;
}

/// <inheritdoc cref="IConstant"/>
internal readonly struct Four : IConstant
{
    public static int Value => 4;
}

/// <inheritdoc cref="IConstant"/>
internal readonly struct Five : IConstant
{
    public static int Value => 5;
}

/// <inheritdoc cref="IConstant"/>
internal readonly struct Six : IConstant
{
    public static int Value => 6;
}
