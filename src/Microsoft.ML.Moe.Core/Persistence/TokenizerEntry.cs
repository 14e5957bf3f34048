using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Tokenizers;

namespace Microsoft.ML.Moe.Persistence;

/// <summary>
/// <c>Tokenizer.json</c>, and beside it <c>Vocabulary.txt</c> for a WordPiece vocabulary, or the files of a Hugging Face tokenizer under names
/// that begin with <c>HuggingFace.</c>; any other tokenizer is referred to by name.
/// </summary>
/// <param name="Name">Name of the tokenizer.</param>
/// <param name="VocabularySize">Number of ids.</param>
/// <param name="Files">Names of the files of a Hugging Face tokenizer; null for any other.</param>
internal sealed record TokenizerEntry(
    string Name,
    int VocabularySize,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<string>? Files = null)
{
    /// <summary>Name of the entry.</summary>
    public const string EntryName = "Tokenizer.json";

    /// <summary>Name of the entry with a WordPiece vocabulary.</summary>
    public const string Vocabulary = "Vocabulary.txt";

    /// <summary>What names of files that come from Hugging Face begin with.</summary>
    public const string FilePrefix = "HuggingFace.";

    private const int MaximumLength = 1 << 16;
    private const int MaximumFileLength = 1 << 28;
    private const int MostFiles = 16;

    /// <summary>Reads files that were written as they were published.</summary>
    /// <param name="folder">The model's folder.</param>
    /// <param name="names">Their names.</param>
    /// <param name="list">The entry that lists them.</param>
    /// <exception cref="InvalidDataException">They are too many, too long, or named twice.</exception>
    public static Dictionary<string, byte[]> ReadFiles(ModelFolder folder, IReadOnlyList<string> names, string list) =>
        names.Count <= MostFiles && names.Distinct().Count() == names.Count
            ? names.ToDictionary(name => name, name => folder.Read(FilePrefix + name, MaximumFileLength, ModelFolder.ReadAll))
            : throw new InvalidDataException($"{list} lists impossible files: the model file is damaged.");

    /// <summary>Reads the files, if there are any.</summary>
    /// <exception cref="InvalidDataException">They are damaged.</exception>
    /// <exception cref="InvalidOperationException">The tokenizer is not known in this process.</exception>
    public static TextTokenizer? ReadOrNull(ModelFolder folder)
    {
        if (!folder.Has(EntryName))
            return null;
        var content = folder.ReadJson(EntryName, MaximumLength, EntryJson.Default.TokenizerEntry);
        var tokenizer = folder.Has(Vocabulary)
            ? folder.Read(Vocabulary, TextTokenizer.MaximumVocabularyBytes, ReadVocabulary)
            : content.Files is { } files ? ReadTokenizer(folder, files)
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

    private static TextTokenizer ReadTokenizer(ModelFolder folder, IReadOnlyList<string> names)
    {
        var files = ReadFiles(folder, names, EntryName);
        try
        {
            return TextTokenizer.FromHuggingFace(HuggingFaceTokenizer.Load(files));
        }
        catch (Exception e) when (e is ArgumentException or FileNotFoundException)
        {
            throw new InvalidDataException($"{EntryName} lists no files of a tokenizer: the model file is damaged.", e);
        }
    }
}
