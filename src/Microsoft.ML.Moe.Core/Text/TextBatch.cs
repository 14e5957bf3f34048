using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Text;

/// <summary>Rows of a table packed for one forward pass: every token stands once, without padding unless it is asked for.</summary>
internal sealed class TextBatch
{
    private readonly ReadOnlyMemory<int> _positions;
    private readonly ReadOnlyMemory<int> _segments;

    /// <summary>Creates a batch; see the properties.</summary>
    public TextBatch(
        SequenceLayout layout, RaggedIndices tokens, ReadOnlyMemory<int> positions, ReadOnlyMemory<int> segments, RaggedIndices? wide)
    {
        Layout = layout;
        Tokens = tokens;
        _positions = positions;
        _segments = segments;
        HasSegments = segments.Span.Contains(1);
        Wide = wide;
    }

    /// <summary>Where each row's tokens lie.</summary>
    public SequenceLayout Layout { get; }

    /// <summary>T bags of rows of the token table.</summary>
    public RaggedIndices Tokens { get; }

    /// <summary>Position of each token within its row.</summary>
    public ReadOnlySpan<int> Positions => _positions.Span;

    /// <summary>0 for tokens of the first text, 1 for the second.</summary>
    public ReadOnlySpan<int> Segments => _segments.Span;

    /// <summary>Whether any row has a second text.</summary>
    public bool HasSegments { get; }

    /// <summary>B bags of wide features; null when the model has no wide branch.</summary>
    public RaggedIndices? Wide { get; }

    /// <summary>Packs rows into memory of their own; see <see cref="TextBatchPacker"/>.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="wideBits">Binary logarithm of the wide table's rows; 0 for none.</param>
    /// <param name="noise">Feature noise for training, or null.</param>
    /// <param name="padToLongest">
    /// Whether each row is filled to the longest with padding, for routers that let it compete: tokens of no features, at the positions
    /// that follow.
    /// </param>
    public static TextBatch Pack(IReadOnlyList<EncodedText> rows, int wideBits, InputNoise? noise = null, bool padToLongest = false) =>
        new TextBatchPacker(wideBits, padToLongest).Pack(rows, noise);
}
