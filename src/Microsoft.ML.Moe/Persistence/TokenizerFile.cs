using Microsoft.ML.Moe.MlNet;

namespace Microsoft.ML.Moe.Persistence;

/// <summary>
/// <c>Tokenizer.json</c>, and <c>Vocabulary.txt</c> beside it for a WordPiece vocabulary; any other tokenizer is referred to by name.
/// </summary>
internal static class TokenizerFile
{
    private const string Name = "Tokenizer.json";
    private const string Vocabulary = "Vocabulary.txt";
    private const int MaximumLength = 1 << 16;

    /// <summary>Writes the files.</summary>
    public static void Write(ModelFolderWriter folder, TextTokenizer tokenizer)
    {
        JsonEntry.Write(folder, Name, new Content(tokenizer.Name, tokenizer.VocabularySize));
        if (tokenizer.Vocabulary is { } vocabulary)
            folder.AddEntry(Vocabulary, stream => stream.Write(vocabulary));
    }

    /// <summary>Reads the files, if there are any.</summary>
    /// <exception cref="InvalidDataException">They are damaged.</exception>
    /// <exception cref="InvalidOperationException">The tokenizer is not known in this process.</exception>
    public static TextTokenizer? ReadOrNull(ModelFolderReader folder)
    {
        if (!folder.Has(Name))
            return null;
        var content = JsonEntry.Read<Content>(folder, Name, MaximumLength);
        var tokenizer = folder.Has(Vocabulary)
            ? folder.Read(Vocabulary, TextTokenizer.MaximumVocabularyBytes, ReadVocabulary)
            : TextTokenizer.Registered(content.Name);
        return tokenizer.VocabularySize == content.VocabularySize
            ? tokenizer
            : throw new InvalidDataException(
                $"Tokenizer '{content.Name}' has {tokenizer.VocabularySize} entries; the model was trained with one of {content.VocabularySize}.");
    }

    private static TextTokenizer ReadVocabulary(Stream stream)
    {
        try
        {
            return TextTokenizer.FromWordPieceVocabulary(stream);
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException($"{Vocabulary} is not a vocabulary: the model file is damaged.", e);
        }
    }

    private sealed record Content(string Name, int VocabularySize);
}
