namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>How the rows of a second factor's panel are stored.</summary>
internal enum PanelForm
{
    /// <summary>Floats.</summary>
    Single,

    /// <summary>bfloat16 as <see cref="Kernels.RoundPanel"/> makes it: two vectors in one.</summary>
    PairedBFloat16,

    /// <summary>bfloat16 as it lies in a matrix, one column after the other.</summary>
    BFloat16Rows,
}
