using System.Runtime.CompilerServices;

namespace Microsoft.ML.Moe.Tensors;

// Operations within the sequences of a packed batch.
public abstract partial class Tape
{
    /// <summary>
    /// Multi-head self-attention within each sequence, softmax(QKᵀ/√(D/H))·V (Vaswani et al. 2017), of one product that has made queries,
    /// keys and values. Padding is no key.
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

        return AttentionCore(qkvT3D, layout, heads, IsTraining ? dropout * DropoutFactor : 0f);
    }

    /// <summary>
    /// Attention of queries to keys within each sequence, softmax(scale·QKᵀ + bias)·V: self-attention and cross-attention, with shared
    /// heads of keys and values, causal or not, within a window or not; see <see cref="AttentionSpec"/>. Padding is no key. A query that sees no
    /// key gives zeros.
    /// </summary>
    /// <param name="qTD">[T, H·K]: queries, heads of width K side by side.</param>
    /// <param name="kSD">[S, G·K]: keys, G heads of width K.</param>
    /// <param name="vSD">[S, G·V]: values, G heads of width V.</param>
    /// <param name="spec">Heads and what a query sees.</param>
    /// <param name="queries">Sequences within T.</param>
    /// <param name="keys">Sequences within S, as many as within T; null for <paramref name="queries"/>, self-attention.</param>
    /// <param name="bias">
    /// Added to the scores; must have a row for each distance between a key and a query that sees it. null for nothing.
    /// </param>
    /// <param name="sinksH">
    /// [H]: the score of one more key in each head's softmax, which every query sees and which has no value, so that a query may attend to
    /// nothing (Miller 2023, "Attention is off by one"; Xiao et al. 2023, "Efficient streaming language models with attention sinks";
    /// gpt-oss). Not scaled. Receives a gradient. null for none.
    /// </param>
    /// <returns>[T, H·V].</returns>
    public Tensor Attention(
        Tensor qTD,
        Tensor kSD,
        Tensor vSD,
        AttentionSpec spec,
        SequenceLayout queries,
        SequenceLayout? keys = null,
        AttentionBias? bias = null,
        Tensor? sinksH = null)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(queries);
        keys ??= queries;
        Begin();
        Use(qTD);
        Use(kSD);
        Use(vSD);
        Check.Tokens(qTD, queries);
        Check.Tokens(kSD, keys);
        Check.Tokens(vSD, keys);
        if (keys.Sequences != queries.Sequences)
        {
            throw new ArgumentException(
                $"Attention: keys of {keys.Sequences} sequences do not fit queries of {queries.Sequences}.", nameof(keys));
        }

        CheckHeads(qTD, spec, kSD.Columns, vSD.Columns);
        if (bias is { } given)
        {
            CheckBias(given, spec);
            for (var sequence = 0; sequence < queries.Sequences; sequence++)
                CheckDistances(given, spec, LengthOf(queries, sequence), LengthOf(keys, sequence));
        }

        CheckSinks(sinksH, spec);
        return AttentionCore(qTD, kSD, vSD, spec, queries, keys, bias, sinksH);
    }

    /// <summary>
    /// As <see cref="Attention(Tensor, Tensor, Tensor, AttentionSpec, SequenceLayout, SequenceLayout?, AttentionBias?, Tensor?)"/>, to keys and
    /// values of a cache, after those of the new tokens are appended to it. Only without training.
    /// </summary>
    /// <param name="qTD">[T, H·K]: queries of the new tokens.</param>
    /// <param name="kTD">[T, G·K]: their keys; null to append nothing, such as where the cache holds an encoder's.</param>
    /// <param name="vTD">[T, G·V]: their values; null with <paramref name="kTD"/>.</param>
    /// <param name="spec">Heads and what a query sees.</param>
    /// <param name="layout">Sequences within T: as many as the cache has, of any length, without padding.</param>
    /// <param name="cache">What came before; of this tape's engine.</param>
    /// <param name="bias">Added to the scores; null for nothing.</param>
    /// <param name="sinksH">[H]: the score of one more key without value; null for none.</param>
    /// <returns>[T, H·V].</returns>
    /// <exception cref="InvalidOperationException">The tape was begun for training.</exception>
    public Tensor CachedAttention(
        Tensor qTD,
        Tensor? kTD,
        Tensor? vTD,
        AttentionSpec spec,
        SequenceLayout layout,
        KeyValueCache cache,
        AttentionBias? bias = null,
        Tensor? sinksH = null)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(layout);
        ArgumentNullException.ThrowIfNull(cache);
        Begin();
        if (IsTraining)
            throw new InvalidOperationException("A cache is for inference, but the tape was begun for training.");
        Use(qTD);
        UseIfGiven(kTD);
        UseIfGiven(vTD);
        Check.Tokens(qTD, layout);
        if (kTD is null != vTD is null)
            throw new ArgumentException("CachedAttention: keys and values are both given, or neither is.", nameof(vTD));
        if (kTD is not null)
            Check.Shape(kTD, [layout.Tokens, cache.KeyWidth]);
        if (vTD is not null)
            Check.Shape(vTD, [layout.Tokens, cache.ValueWidth]);
        CheckHeads(qTD, spec, cache.KeyWidth, cache.ValueWidth);
        cache.CheckFits(layout, appends: kTD is not null);
        if (bias is { } given)
        {
            CheckBias(given, spec);
            for (var sequence = 0; sequence < layout.Sequences; sequence++)
            {
                var queries = LengthOf(layout, sequence);
                CheckDistances(given, spec, queries, cache.Lengths[sequence] + (kTD is null ? 0 : queries));
            }
        }

        CheckSinks(sinksH, spec);
        return CachedAttentionCore(qTD, kTD, vTD, spec, layout, cache, bias, sinksH);
    }

    /// <summary>
    /// Appends keys and values to a cache without attending to them: those of an encoder, which decoders read. Only without training.
    /// </summary>
    /// <param name="cache">Takes them; of this tape's engine.</param>
    /// <param name="kTD">[T, G·K] keys.</param>
    /// <param name="vTD">[T, G·V] values.</param>
    /// <param name="layout">Sequences within T: as many as the cache has, of any length, without padding.</param>
    /// <exception cref="InvalidOperationException">The tape was begun for training.</exception>
    public void Append(KeyValueCache cache, Tensor kTD, Tensor vTD, SequenceLayout layout)
    {
        ArgumentNullException.ThrowIfNull(layout);
        ArgumentNullException.ThrowIfNull(cache);
        Begin();
        if (IsTraining)
            throw new InvalidOperationException("A cache is for inference, but the tape was begun for training.");
        Use(kTD);
        Use(vTD);
        Check.Shape(kTD, [layout.Tokens, cache.KeyWidth]);
        Check.Shape(vTD, [layout.Tokens, cache.ValueWidth]);
        cache.CheckFits(layout, appends: true);
        AppendCore(cache, kTD, vTD, layout);
    }

    /// <summary>
    /// Rotary positions (Su et al. 2021, "RoFormer"): of each head, pair i of the columns is turned by position·frequencies[i]. Columns
    /// before and beyond the pairs stay as they are.
    /// </summary>
    /// <param name="xTD">[T, D]: queries or keys, their heads side by side.</param>
    /// <param name="positions">T positions, at least 0, whole numbers up to 2²⁴.</param>
    /// <param name="heads">H; divides D.</param>
    /// <param name="rotary">Frequencies, and which columns are a pair.</param>
    /// <returns>[T, D].</returns>
    public Tensor Rotary(Tensor xTD, ReadOnlySpan<int> positions, int heads, RotaryFrequencies rotary) =>
        Rotary(xTD, positions, heads, [rotary]);

    /// <summary>As above, with frequencies that may differ from token to token: those of LongRoPE depend on a sequence's length.</summary>
    /// <param name="xTD">[T, D]: queries or keys, their heads side by side.</param>
    /// <param name="positions">T positions, at least 0, whole numbers up to 2²⁴.</param>
    /// <param name="heads">H; divides D.</param>
    /// <param name="rotary">Those of each token, or those of all; all turn the same columns.</param>
    /// <returns>[T, D].</returns>
    public Tensor Rotary(Tensor xTD, ReadOnlySpan<int> positions, int heads, ReadOnlySpan<RotaryFrequencies> rotary)
    {
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
        if (rotary.Length != 1 && rotary.Length != positions.Length)
            throw new ArgumentException($"Rotary: frequencies of {rotary.Length} tokens for {positions.Length}.", nameof(rotary));
        foreach (var frequencies in rotary)
        {
            ArgumentNullException.ThrowIfNull(frequencies, nameof(rotary));
            if ((frequencies.Pairs, frequencies.FirstColumn, frequencies.IsInterleaved)
                != (rotary[0].Pairs, rotary[0].FirstColumn, rotary[0].IsInterleaved))
            {
                throw new ArgumentException("Rotary: the tokens' frequencies do not turn the same columns.", nameof(rotary));
            }
        }

        if (rotary.Length > 0 && (long)rotary[0].FirstColumn + 2L * rotary[0].Pairs > xTD.Columns / heads)
        {
            throw new ArgumentException(
                $"Rotary: {rotary[0].Pairs} pairs from column {rotary[0].FirstColumn} on do not fit heads of {xTD.Columns / heads} columns.",
                nameof(rotary));
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

    /// <inheritdoc cref="Attention(Tensor, SequenceLayout, int, float)"/>
    protected abstract Tensor AttentionCore(Tensor qkvT3D, SequenceLayout layout, int heads, float dropout);

    /// <inheritdoc cref="Attention(Tensor, Tensor, Tensor, AttentionSpec, SequenceLayout, SequenceLayout?, AttentionBias?, Tensor?)"/>
    protected abstract Tensor AttentionCore(
        Tensor qTD,
        Tensor kSD,
        Tensor vSD,
        AttentionSpec spec,
        SequenceLayout queries,
        SequenceLayout keys,
        AttentionBias? bias,
        Tensor? sinksH);

    /// <inheritdoc cref="CachedAttention"/>
    protected abstract Tensor CachedAttentionCore(
        Tensor qTD,
        Tensor? kTD,
        Tensor? vTD,
        AttentionSpec spec,
        SequenceLayout layout,
        KeyValueCache cache,
        AttentionBias? bias,
        Tensor? sinksH);

    /// <inheritdoc cref="Append"/>
    protected abstract void AppendCore(KeyValueCache cache, Tensor kTD, Tensor vTD, SequenceLayout layout);

    /// <inheritdoc cref="Rotary(Tensor, ReadOnlySpan{int}, int, ReadOnlySpan{RotaryFrequencies})"/>
    protected abstract Tensor RotaryCore(Tensor xTD, ReadOnlySpan<int> positions, int heads, ReadOnlySpan<RotaryFrequencies> rotary);

    /// <inheritdoc cref="AttentionPool"/>
    protected abstract Tensor AttentionPoolCore(Tensor xTD, Tensor scoresTQ, SequenceLayout layout);

    /// <inheritdoc cref="MaxPool(Tensor, SequenceLayout)"/>
    protected abstract Tensor MaxPoolCore(Tensor xTD, SequenceLayout layout);

    /// <inheritdoc cref="MeanPool"/>
    protected abstract Tensor MeanPoolCore(Tensor xTD, SequenceLayout layout);

    private static int LengthOf(SequenceLayout layout, int sequence) => layout.Offsets[sequence + 1] - layout.Offsets[sequence];

    private static void CheckHeads(
        Tensor qTD, AttentionSpec spec, int keyWidth, int valueWidth, [CallerMemberName] string operation = "")
    {
        var (heads, shared) = (spec.Heads, spec.KeyValueHeads);
        if (qTD.Columns % heads != 0)
            throw new ArgumentException($"{operation}: {heads} heads do not divide queries {Check.Text(qTD.Shape)}.", nameof(qTD));
        if (keyWidth != qTD.Columns / heads * shared)
        {
            throw new ArgumentException(
                $"{operation}: keys of {keyWidth} columns are not {shared} heads of the queries' width {qTD.Columns / heads}.",
                nameof(spec));
        }

        if (valueWidth % shared != 0)
            throw new ArgumentException($"{operation}: {shared} heads do not divide values of {valueWidth} columns.", nameof(spec));
    }

    private void CheckBias(AttentionBias bias, AttentionSpec spec, [CallerMemberName] string operation = "")
    {
        Use(bias.ValuesRH, nameof(bias));
        Check.Rank(bias.ValuesRH, 2, nameof(bias), operation);
        if (bias.ValuesRH.Columns != spec.Heads)
        {
            throw new ArgumentException(
                $"{operation}: bias {Check.Text(bias.ValuesRH.Shape)} has not one column for each of {spec.Heads} heads.", nameof(bias));
        }
    }

    private void CheckSinks(Tensor? sinksH, AttentionSpec spec, [CallerMemberName] string operation = "")
    {
        UseIfGiven(sinksH);
        if (sinksH is not null)
            Check.Shape(sinksH, [spec.Heads], nameof(sinksH), operation);
    }

    /// <summary>Checks that a bias has a row for each distance between a query and a key that it sees.</summary>
    private static void CheckDistances(
        AttentionBias bias, AttentionSpec spec, int queries, int keys, [CallerMemberName] string operation = "")
    {
        if (queries == 0 || keys == 0)
            return;
        var window = spec.Window ?? int.MaxValue;
        var behind = Math.Min(keys, window) - 1;
        var ahead = spec.IsCausal ? 0 : Math.Min(queries, window) - 1;
        if (bias.Zero < behind || bias.ValuesRH.Shape[0] <= (long)bias.Zero + ahead)
        {
            throw new ArgumentException(
                $"{operation}: bias {Check.Text(bias.ValuesRH.Shape)} with distance 0 in row {bias.Zero} has not a row for each distance "
                + $"from {-behind} to {ahead}.",
                nameof(bias));
        }
    }
}
