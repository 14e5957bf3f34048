using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>Images cut into patches for one forward pass.</summary>
internal sealed class ImageBatch : Batch
{
    private ReadOnlyMemory<float> _patches;
    private ReadOnlyMemory<int> _positions;

    /// <summary>Values of T tokens; 0 of those that are no patches.</summary>
    public ReadOnlySpan<float> Patches => _patches.Span;

    /// <summary>Number of each token within its image.</summary>
    public ReadOnlySpan<int> Positions => _positions.Span;

    /// <summary>How the images were mixed; null where they were not.</summary>
    public BatchMixture? Mixture { get; set; }

    /// <summary>The values as a tensor, where gradients by them are wanted; null, the default, for constants.</summary>
    public Tensor? Values { get; set; }

    /// <summary>The values as a tensor of a pass, [T, values of a patch].</summary>
    /// <param name="tape">The pass.</param>
    public Tensor PatchesOn(Tape tape) =>
        Values ?? tape.Constant(Patches, Positions.Length, Patches.Length / Math.Max(1, Positions.Length));

    /// <summary>Makes this another batch.</summary>
    /// <returns>This batch.</returns>
    public ImageBatch Reset(SequenceLayout layout, ReadOnlyMemory<float> patches, ReadOnlyMemory<int> positions)
    {
        (Layout, _patches, _positions, Values, Mixture) = (layout, patches, positions, null, null);
        return this;
    }
}

/// <summary>Packs images.</summary>
/// <param name="config">The patches, and the scale of the channels.</param>
/// <param name="keepsLayouts">See <see cref="Packing"/>.</param>
/// <param name="augmentation">Changes images while training; null where there is no training.</param>
/// <param name="mixing">Mixes the images of a batch while training; null for not.</param>
internal sealed class ImageBatchPacker(PatchInputConfig config, bool keepsLayouts, ImageAugmentation? augmentation = null, ImageMixing? mixing = null)
    : Packer<ImagePixels>
{
    private readonly PatchGrid _grid = config.Grid;
    private readonly ChannelScale _scale = config.Scale;
    private readonly ImageBatch _batch = new();
    private readonly SequenceLayout _layout = new();
    private readonly int _length = config.Size.Length;
    private float[] _pixels = [];
    private float[] _patches = [];
    private int[] _positions = [];
    private int[] _lengths = [];

    /// <inheritdoc/>
    public override ImageBatch Pack(IReadOnlyList<ImagePixels> rows, Random? random = null, bool withNoise = false)
    {
        var seed = withNoise && random is not null ? (ulong)random.NextInt64() : 0;
        var tokens = config.SpecialTokens + _grid.Patches;
        var perImage = tokens * _grid.Values;
        if (_positions.Length < rows.Count * tokens)
        {
            _patches = new float[rows.Count * perImage];
            _positions = new int[rows.Count * tokens];
            for (var i = 0; i < _positions.Length; i++)
                _positions[i] = i % tokens;
            _lengths = [.. Enumerable.Repeat(tokens, rows.Count)];
        }

        // all images at once only where they are mixed
        var mixer = withNoise && random is not null ? mixing : null;
        var kept = mixer is null ? 1 : rows.Count;
        if (_pixels.Length < kept * _length)
            _pixels = new float[kept * _length];
        for (var i = 0; i < rows.Count; i++)
        {
            var pixels = _pixels.AsSpan(i % kept * _length, _length);
            _scale.CopyTo(rows[i], pixels);
            if (withNoise && random is not null)
                augmentation?.Apply(pixels, random);
            if (mixer is null)
                _grid.Cut(pixels, PatchesOf(i));
        }

        var mixture = mixer?.Mix(_pixels, rows.Count, random!);
        for (var i = 0; mixture is not null && i < rows.Count; i++)
            _grid.Cut(_pixels.AsSpan(i * _length, _length), PatchesOf(i));

        var layout = keepsLayouts ? new SequenceLayout() : _layout;
        layout.Reset(_lengths.AsSpan(0, rows.Count), padded: 0);
        _batch.Seed = seed;
        _batch.Reset(layout, _patches.AsMemory(0, rows.Count * perImage), _positions.AsMemory(0, rows.Count * tokens));
        _batch.Mixture = mixture;
        return _batch;

        Span<float> PatchesOf(int image) =>
            _patches.AsSpan(image * perImage + config.SpecialTokens * _grid.Values, _grid.Patches * _grid.Values);
    }
}
