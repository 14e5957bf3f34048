using Microsoft.ML.Moe.Experiments.Data;
using Microsoft.ML.Moe.Tokenizers;

namespace Microsoft.ML.Moe.Experiments.Studies.LanguageModels;

/// <summary>The tokenizer that the command line asks for: pieces of SentencePiece, or bytes.</summary>
internal static class LanguageModelTokenizer
{
    /// <summary>Reads it.</summary>
    /// <param name="arguments">What is asked for.</param>
    /// <param name="sentinels">Sentinels of an encoder–decoder.</param>
    /// <param name="appendsEnd">Whether a text is given its end token.</param>
    public static HuggingFaceTokenizer Read(Arguments arguments, int sentinels = 0, bool appendsEnd = false) => arguments.Vocabulary is { } file
        ? UnigramVocabulary.Read(file, sentinels, appendsEnd)
        : ByteTokenizer.Create(sentinels, appendsEnd);

    /// <summary>Name in logs and tables.</summary>
    public static string NameOf(Arguments arguments) => arguments.Vocabulary is { } file ? Path.GetFileNameWithoutExtension(file) : "bytes";
}
