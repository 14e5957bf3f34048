namespace Microsoft.ML.Moe.Tensors;

// Operations within the sequences of a packed batch.
public abstract partial class Tape
{
    /// <summary>
    /// Multi-head self-attention within each sequence, softmax(QKᵀ/√(D/H))·V (Vaswani et al. 2017). Padding is no key.
    /// </summary>
    /// <param name="qkvT3D">[T, 3D]: queries, keys, values side by side, each with its heads side by side.</param>
    /// <param name="layout">Sequences within T.</param>
    /// <param name="heads">H; divides D.</param>
    /// <param name="dropout">Rate at which attention probabilities are dropped when training, within [0, 1).</param>
    /// <returns>[T, D].</returns>
    public Tensor Attention(Tensor qkvT3D, SequenceLayout layout, int heads, float dropout = 0f)
    {
        ArgumentNullException.ThrowIfNull(layout);
        Begin();
        Use(qkvT3D);
        Check.Tokens(qkvT3D, layout);
        Check.Rate(dropout);
        ArgumentOutOfRangeException.ThrowIfLessThan(heads, 1);
        if (qkvT3D.Columns % (3 * heads) != 0)
        {
            throw new ArgumentException(
                $"Attention: qkvT3D {Check.Text(qkvT3D.Shape)} does not divide into three parts of {heads} heads.", nameof(qkvT3D));
        }

        return AttentionCore(qkvT3D, layout, heads, IsTraining ? dropout : 0f);
    }

    /// <summary>
    /// Rotary positions (Su et al. 2021, "RoFormer"): of each head, pair i of the columns is turned by position·frequencies[i]. Columns
    /// beyond the pairs stay as they are.
    /// </summary>
    /// <param name="xTD">[T, D]: queries or keys, their heads side by side.</param>
    /// <param name="positions">T positions, at least 0, whole numbers up to 2²⁴.</param>
    /// <param name="heads">H; divides D.</param>
    /// <param name="rotary">Frequencies, and which columns are a pair.</param>
    /// <returns>[T, D].</returns>
    public Tensor Rotary(Tensor xTD, ReadOnlySpan<int> positions, int heads, RotaryFrequencies rotary)
    {
        ArgumentNullException.ThrowIfNull(rotary);
        Begin();
        Use(xTD);
        Check.Rank(xTD, 2);
        Check.Heads(xTD, heads, xTD.Columns);
        if (positions.Length != xTD.Shape[0])
        {
            throw new ArgumentException(
                $"Rotary: {positions.Length} positions for xTD {Check.Text(xTD.Shape)}.", nameof(positions));
        }

        Check.Indices(positions, RotaryFrequencies.MostPositions);
        if (2 * rotary.Pairs > xTD.Columns / heads)
        {
            throw new ArgumentException(
                $"Rotary: {rotary.Pairs} pairs do not fit heads of {xTD.Columns / heads} columns.", nameof(rotary));
        }

        return RotaryCore(xTD, positions, heads, rotary);
    }

    /// <summary>
    /// Pools each sequence by Q learned queries: softmax of the scores over the sequence's tokens, then the weighted sum of x.
    /// </summary>
    /// <param name="xTD">[T, D].</param>
    /// <param name="scoresTQ">[T, Q].</param>
    /// <param name="layout">Sequences within T; padding takes no part.</param>
    /// <returns>[B, Q·D]; zeros for a sequence without tokens.</returns>
    public Tensor AttentionPool(Tensor xTD, Tensor scoresTQ, SequenceLayout layout)
    {
        ArgumentNullException.ThrowIfNull(layout);
        Begin();
        Use(xTD);
        Use(scoresTQ);
        Check.Tokens(xTD, layout);
        Check.Tokens(scoresTQ, layout);
        return AttentionPoolCore(xTD, scoresTQ, layout);
    }

    /// <summary>Largest value of each column over each sequence's tokens.</summary>
    /// <param name="xTD">[T, D].</param>
    /// <param name="layout">Sequences within T; padding takes no part.</param>
    /// <returns>[B, D]; zeros for a sequence without tokens.</returns>
    public Tensor MaxPool(Tensor xTD, SequenceLayout layout)
    {
        ArgumentNullException.ThrowIfNull(layout);
        Begin();
        Use(xTD);
        Check.Tokens(xTD, layout);
        return MaxPoolCore(xTD, layout);
    }

    /// <summary>Mean of each column over each sequence's tokens.</summary>
    /// <param name="xTD">[T, D].</param>
    /// <param name="layout">Sequences within T; padding takes no part.</param>
    /// <returns>[B, D]; zeros for a sequence without tokens.</returns>
    public Tensor MeanPool(Tensor xTD, SequenceLayout layout)
    {
        ArgumentNullException.ThrowIfNull(layout);
        Begin();
        Use(xTD);
        Check.Tokens(xTD, layout);
        return MeanPoolCore(xTD, layout);
    }

    /// <inheritdoc cref="Attention"/>
    protected abstract Tensor AttentionCore(Tensor qkvT3D, SequenceLayout layout, int heads, float dropout);

    /// <inheritdoc cref="Rotary"/>
    protected abstract Tensor RotaryCore(Tensor xTD, ReadOnlySpan<int> positions, int heads, RotaryFrequencies rotary);

    /// <inheritdoc cref="AttentionPool"/>
    protected abstract Tensor AttentionPoolCore(Tensor xTD, Tensor scoresTQ, SequenceLayout layout);

    /// <inheritdoc cref="MaxPool"/>
    protected abstract Tensor MaxPoolCore(Tensor xTD, SequenceLayout layout);

    /// <inheritdoc cref="MeanPool"/>
    protected abstract Tensor MeanPoolCore(Tensor xTD, SequenceLayout layout);
}
