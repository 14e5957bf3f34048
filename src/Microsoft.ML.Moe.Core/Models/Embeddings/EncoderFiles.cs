using Microsoft.ML.Moe.Inputs;

namespace Microsoft.ML.Moe.Models.Embeddings;

/// <summary>Files of a published encoder beside its weights: its <c>config.json</c> and its tokenizer's.</summary>
/// <param name="Config"><c>config.json</c>.</param>
/// <param name="Tokenizer">The tokenizer.</param>
internal sealed record EncoderFiles(byte[] Config, PublishedTokenizer Tokenizer)
{
    /// <summary>Name of the configuration.</summary>
    public const string ConfigName = "config.json";

    /// <summary>All files by name.</summary>
    public IReadOnlyDictionary<string, byte[]> ByName => new Dictionary<string, byte[]>(Tokenizer.Files) { [ConfigName] = Config };

    /// <summary>Reads a folder's, which has been looked at before.</summary>
    /// <exception cref="FileNotFoundException">There is no tokenizer; the message says which files are needed.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, or has a part that is not supported; the message names both.</exception>
    public static EncoderFiles Read(string folder) =>
        new(File.ReadAllBytes(Path.Combine(folder, ConfigName)), PublishedTokenizer.Load(folder));

    /// <summary>Takes files by name.</summary>
    /// <exception cref="InvalidDataException">One is missing or damaged; the message names it.</exception>
    public static EncoderFiles Of(IReadOnlyDictionary<string, byte[]> files)
    {
        if (!files.TryGetValue(ConfigName, out var config))
            throw new InvalidDataException($"{ConfigName} of the published encoder is missing.");
        try
        {
            return new EncoderFiles(config, PublishedTokenizer.Load(files));
        }
        catch (FileNotFoundException e)
        {
            throw new InvalidDataException("The tokenizer of the published encoder is missing.", e);
        }
    }
}
