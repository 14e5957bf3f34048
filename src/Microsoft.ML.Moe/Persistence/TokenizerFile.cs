using Microsoft.ML.Moe.MlNet;

namespace Microsoft.ML.Moe.Persistence;

/// <summary>Writes what <see cref="TokenizerEntry"/> reads.</summary>
internal static class TokenizerFile
{
    /// <summary>Writes the files.</summary>
    public static void Write(ModelFolderWriter folder, TextTokenizer tokenizer)
    {
        JsonEntry.Write(folder, TokenizerEntry.EntryName, new TokenizerEntry(tokenizer.Name, tokenizer.VocabularySize, tokenizer.Files?.Keys.ToList()));
        if (tokenizer.Vocabulary is { } vocabulary)
            folder.AddEntry(TokenizerEntry.Vocabulary, stream => stream.Write(vocabulary));
        if (tokenizer.Files is { } files)
            WriteFiles(folder, files);
    }

    /// <summary>Writes files as they were published.</summary>
    public static void WriteFiles(ModelFolderWriter folder, IReadOnlyDictionary<string, byte[]> files)
    {
        foreach (var (name, bytes) in files)
            folder.AddEntry(TokenizerEntry.FilePrefix + name, stream => stream.Write(bytes));
    }
}
