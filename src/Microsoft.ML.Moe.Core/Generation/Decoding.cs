namespace Microsoft.ML.Moe.Generation;

/// <summary>Sequences that a model is continuing, one token at a time.</summary>
internal abstract class Decoding : IDisposable
{
    /// <summary>Number of sequences, B.</summary>
    public abstract int Sequences { get; }

    /// <summary>Number of scores of a next token, V.</summary>
    public abstract int VocabularySize { get; }

    /// <summary>
    /// Ids that come before what is generated, as processors of scores see them: a causal model's prompt, a decoder's start token.
    /// </summary>
    public abstract ReadOnlySpan<int> ContextOf(int sequence);

    /// <summary>Appends a token to each sequence and gives the scores of the next one.</summary>
    /// <param name="tokens">
    /// A token for each sequence, −1 where it has ended: nothing is appended, and its scores are not looked at. The first call takes none and
    /// gives the scores after the prompt or the start token.
    /// </param>
    /// <param name="scores">Receives the logits, [B, V] row-major.</param>
    public abstract void Next(ReadOnlySpan<int> tokens, Span<float> scores);

    /// <summary>Goes on with other sequences, as beams do: sequence i goes on as what sequence sources[i] was.</summary>
    public abstract void Reorder(ReadOnlySpan<int> sources);

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Releases what the sequences hold.</summary>
    /// <param name="disposing">Whether called from <see cref="Dispose()"/>.</param>
    protected virtual void Dispose(bool disposing)
    {
    }
}
