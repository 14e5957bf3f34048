namespace Microsoft.ML.Moe.Tensors;

/// <summary>What the elements of a <see cref="Tensor"/> are stored in. Sums are in single precision for all.</summary>
public enum ElementType
{
    /// <summary>IEEE single precision, four bytes.</summary>
    Float32,

    /// <summary>bfloat16, two bytes, 8 significant bits: parameters of published models that stay as they are.</summary>
    BFloat16,

    /// <summary>
    /// Whole numbers within ±127, one byte, times a scale that each output of a matrix has for itself: parameters that were rounded to them
    /// when they were loaded. A zip has them as they are; nothing else is saved in this type.
    /// </summary>
    Int8,
}
