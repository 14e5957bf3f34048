namespace Microsoft.ML.Moe.Inputs;

/// <summary>Splits text into numbered subwords of a fixed vocabulary. Implementations are safe to use from several threads.</summary>
public interface ISubwordTokenizer
{
    /// <summary>Number of ids; every id lies within [0, VocabularySize).</summary>
    int VocabularySize { get; }

    /// <summary>Ids of a text, without special tokens, uncut.</summary>
    /// <param name="text">The text; may be empty.</param>
    IReadOnlyList<int> Encode(string text);

    /// <summary>What an id reads as, for reports; null, as by default, where the tokenizer does not tell.</summary>
    /// <param name="id">Within [0, VocabularySize).</param>
    string? TextOf(int id) => null;
}
