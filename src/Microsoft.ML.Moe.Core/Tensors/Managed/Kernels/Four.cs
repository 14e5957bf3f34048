namespace Microsoft.ML.Moe.Tensors.Managed;

/// <inheritdoc cref="IConstant"/>
internal readonly struct Four : IConstant
{
    public static int Value => 4;
}
