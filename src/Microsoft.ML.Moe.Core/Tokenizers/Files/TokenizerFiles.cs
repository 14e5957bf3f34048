using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Generation;

namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>The files that a tokenizer is made from.</summary>
internal sealed class TokenizerFiles
{
    /// <summary>Largest file, in bytes.</summary>
    public const int MaximumBytes = 1 << 28;

    /// <summary>Files of the older kinds, the first that is there counts.</summary>
    private static readonly string[] OlderNames = ["vocab.txt", "vocab.json", "sentencepiece.bpe.model", "spiece.model", "tokenizer.model"];

    private TokenizerFiles(Dictionary<string, byte[]> contents) => Contents = contents;

    /// <summary>Contents by file name.</summary>
    public Dictionary<string, byte[]> Contents { get; }

    /// <summary>The files of a folder; those that lie beside a file, which counts in place of others of its kind.</summary>
    public static TokenizerFiles OfPath(string path)
    {
        var isFolder = Directory.Exists(path);
        if (!isFolder && !File.Exists(path))
            throw new FileNotFoundException($"There is no folder or file '{path}' to read a tokenizer from.", path);
        var folder = isFolder ? path : Path.GetDirectoryName(Path.GetFullPath(path))!;
        var main = isFolder ? null : Path.GetFileName(path);
        return Choose(
            main,
            name => File.Exists(Path.Combine(folder, name)),
            name => ReadFile(Path.Combine(folder, name)),
            isFolder ? Directory.GetFiles(folder, "*.model").Select(f => Path.GetFileName(f)) : [],
            path);
    }

    /// <summary>A tokenizer.json alone.</summary>
    public static TokenizerFiles OfStream(Stream stream) =>
        new(new Dictionary<string, byte[]> { [TokenizerJson.FileName] = ReadBounded(stream, TokenizerJson.FileName) });

    /// <summary>Files by name.</summary>
    public static TokenizerFiles OfContents(IReadOnlyDictionary<string, byte[]> files) => Choose(
        null,
        files.ContainsKey,
        name => files[name],
        files.Keys.Where(name => name.EndsWith(".model", StringComparison.Ordinal)),
        "the files given");

    /// <summary>Reads what the tokenizer is made of.</summary>
    /// <exception cref="InvalidDataException">A file is damaged or has parts that are not supported.</exception>
    public TokenizerParts Read(out TokenizerConfig config)
    {
        config = TokenizerConfig.Read(Contents);
        return Contents.TryGetValue(TokenizerJson.FileName, out var json)
            ? TokenizerJson.Read(json, TokenizerJson.FileName)
            : OlderTokenizers.Read(Contents, config);
    }

    private static TokenizerFiles Choose(
        string? main, Func<string, bool> has, Func<string, byte[]> read, IEnumerable<string> models, string where)
    {
        var kind = main switch
        {
            null => Array.Find([TokenizerJson.FileName, .. OlderNames, .. models], name => has(name)),
            "merges.txt" => "vocab.json",
            _ when main.EndsWith(".json", StringComparison.Ordinal) && main != "vocab.json" => TokenizerJson.FileName,
            _ when main.EndsWith(".txt", StringComparison.Ordinal) => "vocab.txt",
            _ => main,
        };
        if (kind is null)
            throw new FileNotFoundException(
                $"There is no tokenizer in {where}: it takes tokenizer.json, vocab.txt, vocab.json with merges.txt, or a SentencePiece *.model, "
                + "and tokenizer_config.json beside the older ones.");
        var contents = new Dictionary<string, byte[]> { [kind] = read(main is null or "merges.txt" ? kind : main) };
        string[] beside = kind == "vocab.json"
            ? ["merges.txt", TokenizerConfig.FileName, TokenizerConfig.MapFileName, ChatTemplateFile.FileName]
            : [TokenizerConfig.FileName, TokenizerConfig.MapFileName, ChatTemplateFile.FileName];
        foreach (var name in beside)
            if (has(name))
                contents[name] = read(name);
        return new TokenizerFiles(contents);
    }

    private static byte[] ReadFile(string path)
    {
        using var stream = File.OpenRead(path);
        return ReadBounded(stream, path);
    }

    private static byte[] ReadBounded(Stream stream, string name) => BoundedStream.ReadAtMost(stream, MaximumBytes)
        ?? throw new InvalidDataException($"{name} is larger than {MaximumBytes} bytes.");
}
