using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>Texts packed for one forward pass: every token stands once, without padding unless it is asked for.</summary>
internal sealed class TextBatch : Batch
{
    private ReadOnlyMemory<int> _positions;
    private ReadOnlyMemory<int> _segments;

    /// <summary>T bags of rows of the token table.</summary>
    public RaggedIndices Tokens { get; private set; } = new();

    /// <summary>Position of each token within its row.</summary>
    public ReadOnlySpan<int> Positions => _positions.Span;

    /// <summary>0 for tokens of the first text, 1 for the second.</summary>
    public ReadOnlySpan<int> Segments => _segments.Span;

    /// <summary>Whether any row has a second text.</summary>
    public bool HasSegments { get; private set; }

    /// <summary>The tokens to guess; null where none are hidden.</summary>
    public MaskedTexts? Masked { get; set; }

    /// <inheritdoc/>
    public override bool IsEmpty => Masked is { Guesses.Count: 0 };

    /// <summary>Makes this another batch; see the properties.</summary>
    /// <returns>This batch.</returns>
    public TextBatch Reset(
        SequenceLayout layout, RaggedIndices tokens, ReadOnlyMemory<int> positions, ReadOnlyMemory<int> segments, RaggedIndices? wide)
    {
        (Layout, Tokens, _positions, _segments, Wide) = (layout, tokens, positions, segments, wide);
        HasSegments = segments.Span.Contains(1);
        return this;
    }
}
