using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Text;

/// <summary>Rows of a table packed for one forward pass: every token stands once, without padding unless it is asked for.</summary>
internal sealed class TextBatch
{
    private ReadOnlyMemory<int> _positions;
    private ReadOnlyMemory<int> _segments;
    private ReadOnlyMemory<int> _marks;

    /// <summary>Where each row's tokens lie.</summary>
    public SequenceLayout Layout { get; private set; } = new();

    /// <summary>T bags of rows of the token table.</summary>
    public RaggedIndices Tokens { get; private set; } = new();

    /// <summary>Position of each token within its row.</summary>
    public ReadOnlySpan<int> Positions => _positions.Span;

    /// <summary>0 for tokens of the first text, 1 for the second.</summary>
    public ReadOnlySpan<int> Segments => _segments.Span;

    /// <summary>1 for tokens that the other text has too.</summary>
    public ReadOnlySpan<int> Marks => _marks.Span;

    /// <summary>Whether any row has a second text.</summary>
    public bool HasSegments { get; private set; }

    /// <summary>B bags of wide features; null when the model has no wide branch.</summary>
    public RaggedIndices? Wide { get; private set; }

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

    /// <summary>Makes this another batch; see the properties.</summary>
    /// <returns>This batch.</returns>
    public TextBatch Become(
        SequenceLayout layout, RaggedIndices tokens, ReadOnlyMemory<int> positions, ReadOnlyMemory<int> segments, RaggedIndices? wide, ReadOnlyMemory<int> marks)
    {
        (Layout, Tokens, _positions, _segments, Wide) = (layout, tokens, positions, segments, wide);
        _marks = marks;
        HasSegments = segments.Span.Contains(1);
        return this;
    }
}
