namespace Microsoft.ML.Moe.Tensors.Managed;

/// <inheritdoc cref="IConstant"/>
internal readonly struct Six : IConstant
{
    public static int Value => 6;
}
