namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>Values of a parameter in a test.</summary>
internal sealed record Input(int[] Shape, float[] Values, bool SparseRows = false)
{
    /// <summary>Normal numbers that depend on the seed only.</summary>
    public static Input Random(int seed, params int[] shape) => new(shape, TestNumbers.Normal(seed, TestNumbers.Product(shape)));
}
