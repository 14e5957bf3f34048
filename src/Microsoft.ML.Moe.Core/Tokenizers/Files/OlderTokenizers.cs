namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>Reads tokenizers that have no tokenizer.json.</summary>
internal static class OlderTokenizers
{
    /// <summary>Reads the files.</summary>
    public static TokenizerParts Read(IReadOnlyDictionary<string, byte[]> files, TokenizerConfig config) => throw new InvalidDataException(string.Join(",", files.Keys) + config.TokenizerClass);
}
