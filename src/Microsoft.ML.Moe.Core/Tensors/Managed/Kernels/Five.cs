namespace Microsoft.ML.Moe.Tensors.Managed;

/// <inheritdoc cref="IConstant"/>
internal readonly struct Five : IConstant
{
    public static int Value => 5;
}
