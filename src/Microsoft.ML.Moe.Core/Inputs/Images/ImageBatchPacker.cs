using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>Images cut into patches for one forward pass.</summary>
internal sealed class ImageBatch : Batch
{
    private ReadOnlyMemory<float> _patches;
    private ReadOnlyMemory<int> _positions;

    /// <summary>T patches.</summary>
    public ReadOnlySpan<float> Patches => _patches.Span;

    /// <summary>Number of each patch within its image.</summary>
    public ReadOnlySpan<int> Positions => _positions.Span;

    /// <summary>Makes this another batch.</summary>
    /// <returns>This batch.</returns>
    public ImageBatch Reset(SequenceLayout layout, ReadOnlyMemory<float> patches, ReadOnlyMemory<int> positions)
    {
        (Layout, _patches, _positions) = (layout, patches, positions);
        return this;
    }
}

/// <summary>Packs images.</summary>
/// <param name="grid">The patches.</param>
/// <param name="scale">Of the channels.</param>
/// <param name="keepsLayouts">See <see cref="Packing"/>.</param>
/// <param name="augmentation">Changes images while training; null where there is no training.</param>
internal sealed class ImageBatchPacker(PatchGrid grid, ChannelScale scale, bool keepsLayouts, ImageAugmentation? augmentation = null)
    : Packer<ImagePixels>
{
    private readonly ImageBatch _batch = new();
    private readonly SequenceLayout _layout = new();
    private readonly float[] _pixels = new float[grid.Input.Length];
    private float[] _patches = [];
    private int[] _positions = [];
    private int[] _lengths = [];

    /// <inheritdoc/>
    public override ImageBatch Pack(IReadOnlyList<ImagePixels> rows, Random? random = null, bool withNoise = false)
    {
        var seed = withNoise && random is not null ? (ulong)random.NextInt64() : 0;
        var perImage = grid.Patches * grid.Values;
        if (_positions.Length < rows.Count * grid.Patches)
        {
            _patches = new float[rows.Count * perImage];
            _positions = new int[rows.Count * grid.Patches];
            for (var i = 0; i < _positions.Length; i++)
                _positions[i] = i % grid.Patches;
            _lengths = [.. Enumerable.Repeat(grid.Patches, rows.Count)];
        }

        for (var i = 0; i < rows.Count; i++)
        {
            scale.CopyTo(rows[i], _pixels);
            if (withNoise && random is not null)
                augmentation?.Apply(_pixels, random);
            grid.Cut(_pixels, _patches.AsSpan(i * perImage, perImage));
        }

        var layout = keepsLayouts ? new SequenceLayout() : _layout;
        layout.Reset(_lengths.AsSpan(0, rows.Count), padded: 0);
        _batch.Seed = seed;
        return _batch.Reset(
            layout, _patches.AsMemory(0, rows.Count * perImage), _positions.AsMemory(0, rows.Count * grid.Patches));
    }
}
