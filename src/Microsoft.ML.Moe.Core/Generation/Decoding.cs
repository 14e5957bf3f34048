namespace Microsoft.ML.Moe.Generation;

/// <summary>Sequences that a model is writing. For one thread.</summary>
internal abstract class Decoding : IDisposable
{
    /// <summary>What <see cref="Next"/> takes in place of a token of a sequence that has ended.</summary>
    public const int Ended = -1;

    /// <summary>Number of sequences, B.</summary>
    public abstract int Sequences { get; }

    /// <summary>Number of tokens that there are, V.</summary>
    public abstract int VocabularySize { get; }

    /// <summary>The ids before those that are generated, as what changes scores sees them: a prompt, or a decoder's start token.</summary>
    /// <param name="sequence">Number of the sequence.</param>
    public abstract ReadOnlySpan<int> ContextOf(int sequence);

    /// <summary>Appends a token to each sequence, and scores the next.</summary>
    /// <param name="tokens">
    /// One for each sequence, <see cref="Ended"/> where there is to be none; nothing in the first call, which tells what follows the prompts.
    /// </param>
    /// <param name="scores">Receives [B, V] logits; those of an ended sequence mean nothing.</param>
    public abstract void Next(ReadOnlySpan<int> tokens, Span<float> scores);

    /// <summary>Sequence i goes on as what sequence sources[i] was.</summary>
    /// <param name="sources">B numbers of sequences of the same prompt.</param>
    public abstract void Reorder(ReadOnlySpan<int> sources);

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Releases what it holds.</summary>
    /// <param name="disposing">Whether called from <see cref="Dispose()"/>.</param>
    protected abstract void Dispose(bool disposing);
}
