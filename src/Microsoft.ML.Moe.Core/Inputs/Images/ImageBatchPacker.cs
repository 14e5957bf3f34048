using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>Images for one forward pass, cut into patches, or as they are where a stem of convolutions makes tokens of them.</summary>
internal sealed class ImageBatch : Batch
{
    private ReadOnlyMemory<float> _cut;
    private ReadOnlyMemory<int> _positions;

    /// <summary>Values of patches, or of pixels; 0 of tokens that are no patches.</summary>
    public ReadOnlySpan<float> Cut => _cut.Span;

    /// <summary>Values of one patch, or of one pixel.</summary>
    public int Columns { get; private set; }

    /// <summary>Number of each token within its image.</summary>
    public ReadOnlySpan<int> Positions => _positions.Span;

    /// <summary>How the images were mixed; null where they were not.</summary>
    public BatchMixture? Mixture { get; set; }

    /// <summary>The values as a tensor, where gradients by them are wanted; null, the default, for constants.</summary>
    public Tensor? Values { get; set; }

    /// <summary>The values as a tensor of a pass, [patches, or pixels, of all images; values of one].</summary>
    /// <param name="tape">The pass.</param>
    public Tensor ValuesOn(Tape tape) => Values ?? tape.Constant(Cut, Cut.Length / Columns, Columns);

    /// <summary>Makes this another batch.</summary>
    /// <returns>This batch.</returns>
    public ImageBatch Reset(SequenceLayout layout, ReadOnlyMemory<float> cut, int columns, ReadOnlyMemory<int> positions)
    {
        (Layout, _cut, Columns, _positions, Values, Mixture) = (layout, cut, columns, positions, null, null);
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
    private readonly PatchGrid _cut = config.Cut;
    private readonly int _tokens = config.SpecialTokens + config.Grid.Patches;
    private readonly ChannelScale _scale = config.Scale;
    private readonly ImageBatch _batch = new();
    private readonly SequenceLayout _layout = new();
    private readonly int _length = config.Size.Length;
    private float[] _pixels = [];
    private float[] _values = [];
    private int[] _positions = [];
    private int[] _lengths = [];

    /// <inheritdoc/>
    public override ImageBatch Pack(IReadOnlyList<ImagePixels> rows, Random? random = null, bool withNoise = false)
    {
        var seed = withNoise && random is not null ? (ulong)random.NextInt64() : 0;
        var perImage = (config.SpecialTokens + _cut.Patches) * _cut.Values;
        if (_positions.Length < rows.Count * _tokens)
        {
            _values = new float[rows.Count * perImage];
            _positions = new int[rows.Count * _tokens];
            for (var i = 0; i < _positions.Length; i++)
                _positions[i] = i % _tokens;
            _lengths = [.. Enumerable.Repeat(_tokens, rows.Count)];
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
                _cut.Cut(pixels, CutOf(i));
        }

        var mixture = mixer?.Mix(_pixels, rows.Count, random!);
        for (var i = 0; mixture is not null && i < rows.Count; i++)
            _cut.Cut(_pixels.AsSpan(i * _length, _length), CutOf(i));

        var layout = keepsLayouts ? new SequenceLayout() : _layout;
        layout.Reset(_lengths.AsSpan(0, rows.Count), padded: 0);
        _batch.Seed = seed;
        _batch.Reset(layout, _values.AsMemory(0, rows.Count * perImage), _cut.Values, _positions.AsMemory(0, rows.Count * _tokens));
        _batch.Mixture = mixture;
        return _batch;

        Span<float> CutOf(int image) =>
            _values.AsSpan(image * perImage + config.SpecialTokens * _cut.Values, _cut.Patches * _cut.Values);
    }
}
