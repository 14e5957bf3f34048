namespace Microsoft.ML.Moe.Tensors.Managed;

/// <inheritdoc cref="IConstant"/>
internal readonly struct Two : IConstant
{
    public static int Value => 2;
}
