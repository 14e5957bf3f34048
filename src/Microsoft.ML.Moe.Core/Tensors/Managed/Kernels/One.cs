namespace Microsoft.ML.Moe.Tensors.Managed;

/// <inheritdoc cref="IConstant"/>
internal readonly struct One : IConstant
{
    public static int Value => 1;
}
