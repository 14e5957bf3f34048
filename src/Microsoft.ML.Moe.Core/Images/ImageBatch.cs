using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Images;

/// <summary>Images cut into patches for one forward pass.</summary>
/// <param name="layout">Where each image's patches lie.</param>
/// <param name="patches">T patches.</param>
/// <param name="positions">Number of each patch within its image.</param>
internal readonly struct ImageBatch(SequenceLayout layout, ReadOnlyMemory<float> patches, ReadOnlyMemory<int> positions)
{
    /// <summary>Where each image's patches lie.</summary>
    public SequenceLayout Layout { get; } = layout;

    /// <summary>T patches.</summary>
    public ReadOnlySpan<float> Patches => patches.Span;

    /// <summary>Number of each patch within its image.</summary>
    public ReadOnlySpan<int> Positions => positions.Span;
}
