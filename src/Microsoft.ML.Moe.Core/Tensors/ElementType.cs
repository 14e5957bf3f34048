namespace Microsoft.ML.Moe.Tensors;

/// <summary>What the elements of a <see cref="Tensor"/> are stored in. Sums are in single precision for both.</summary>
public enum ElementType
{
    /// <summary>IEEE single precision, four bytes.</summary>
    Float32,

    /// <summary>bfloat16, two bytes, 8 significant bits: parameters of published models that stay as they are.</summary>
    BFloat16,
}
