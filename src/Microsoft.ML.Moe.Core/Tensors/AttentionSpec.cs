namespace Microsoft.ML.Moe.Tensors;

/// <summary>
/// What kind of attention
/// <see cref="Tape.Attention(Tensor, Tensor, Tensor, AttentionSpec, SequenceLayout, SequenceLayout?, AttentionBias?, Tensor?)"/> computes. Queries stand at the end of their sequence's keys: of T queries and S keys, query i has the position i + S − T among the keys,
/// so that decoding token by token, with the keys so far, is the same operation as a pass over all tokens.
/// </summary>
public sealed record AttentionSpec
{
    /// <summary>Creates attention over all keys of a sequence, at scale 1/√K for heads of width K, without dropout.</summary>
    /// <param name="heads">H, heads of the queries; at least 1.</param>
    /// <param name="keyValueHeads">
    /// Heads of keys and values, each shared by H/keyValueHeads neighbouring heads of the queries (Ainslie et al. 2023, "GQA"); 1 is
    /// multi-query attention (Shazeer 2019). Divides H. null for H.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">A number is below 1, or keyValueHeads does not divide the heads.</exception>
    public AttentionSpec(int heads, int? keyValueHeads = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(heads, 1);
        if (keyValueHeads is { } shared && (shared < 1 || heads % shared != 0))
        {
            throw new ArgumentOutOfRangeException(
                nameof(keyValueHeads), keyValueHeads, $"Heads of keys and values are at least 1 and divide the {heads} heads.");
        }

        Heads = heads;
        KeyValueHeads = keyValueHeads ?? heads;
    }

    /// <summary>H, heads of the queries.</summary>
    public int Heads { get; }

    /// <summary>Heads of keys and values.</summary>
    public int KeyValueHeads { get; }

    /// <summary>
    /// Factor of the products of queries and keys, over 0 and at most 1; null for 1/√K. Default null. T5's is 1. For a larger one scale the
    /// queries.
    /// </summary>
    public float? Scale
    {
        get;
        init => field = value is null or (> 0f and <= 1f)
            ? value
            : throw new ArgumentOutOfRangeException(nameof(value), value, "The scale is over 0 and at most 1.");
    }

    /// <summary>Whether a query sees only keys up to its own position. Default false.</summary>
    public bool IsCausal { get; init; }

    /// <summary>
    /// A query sees only keys nearer than this to its own position, itself included, so that 1 is itself alone; behind it, and also ahead
    /// where the attention is not causal (Beltagy et al. 2020, "Longformer"; Mistral, ModernBERT). At least 1; null for all. Default null.
    /// </summary>
    public int? Window
    {
        get;
        init => field = value is null or >= 1
            ? value
            : throw new ArgumentOutOfRangeException(nameof(value), value, "The window is at least 1.");
    }

    /// <summary>Rate at which attention probabilities are dropped when training, within [0, 1). Default 0.</summary>
    public float Dropout
    {
        get;
        init => field = value is >= 0f and < 1f
            ? value
            : throw new ArgumentOutOfRangeException(nameof(value), value, "The rate is within [0, 1).");
    }
}

/// <summary>
/// Numbers that are added to the scores of attention before the softmax, by head and by distance between key and query: T5's relative
/// positions (Raffel et al. 2020, as the embedding of each distance's bucket), ALiBi's slopes (Press et al. 2022, as constants).
/// </summary>
/// <param name="ValuesRH">
/// [R, H]: row r is for keys at the distance r − <paramref name="Zero"/> from the query, ahead of it where that is over 0. Receives a
/// gradient.
/// </param>
/// <param name="Zero">The row of distance 0, within [0, R).</param>
public readonly record struct AttentionBias(Tensor ValuesRH, int Zero);
