using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>Rows of features, encoded for one forward pass. Each row has as many tokens as the ensemble has members.</summary>
internal sealed class FeatureBatch : Batch
{
    private ReadOnlyMemory<float> _direct;
    private ReadOnlyMemory<int> _members;
    private ReadOnlyMemory<int> _rows;

    /// <summary>Number of rows, B.</summary>
    public int Rows { get; private set; }

    /// <summary>
    /// Columns that are used as they are, [B, M] row-major; those that <see cref="IndicatorColumns.Others"/> names where there are
    /// <see cref="Indicators"/>.
    /// </summary>
    public ReadOnlySpan<float> Direct => _direct.Span;

    /// <summary>
    /// For each token the <see cref="IndicatorColumns"/> that its row has, by their numbers among all columns; no bags where they are among the direct
    /// columns.
    /// </summary>
    public RaggedIndices Indicators { get; } = new();

    /// <summary>For each token the number of its member.</summary>
    public ReadOnlySpan<int> Members => _members.Span;

    /// <summary>For each token the number of its row.</summary>
    public ReadOnlySpan<int> RowOfTokens => _rows.Span;

    /// <summary>For each number of each row its factor and its constant.</summary>
    public RaggedIndices Affine { get; } = new();

    /// <summary>For each number of each row the two edges that it lies between.</summary>
    public RaggedIndices Edges { get; } = new();

    /// <summary>For each row its slots in the table.</summary>
    public RaggedIndices Table { get; } = new();

    /// <summary>Makes this another batch.</summary>
    /// <returns>This batch.</returns>
    public FeatureBatch Reset(
        int rows, SequenceLayout layout, ReadOnlyMemory<float> direct, ReadOnlyMemory<int> members, ReadOnlyMemory<int> rowOfTokens)
    {
        (Rows, Layout, _direct, _members, _rows) = (rows, layout, direct, members, rowOfTokens);
        return this;
    }
}
