using System.IO.Compression;

namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>Unicode's scripts, of version 14. The resource is made by <c>eng/unicode-scripts.pl</c>.</summary>
internal static class UnicodeScripts
{
    private const string LaterLine = "Later";
    private static readonly Lazy<(Dictionary<string, CodePointRanges> Scripts, CodePointRanges Later)> Tables = new(Read);

    /// <summary>The code points of a script, by its name in lower case without spaces; null for an unknown one.</summary>
    public static Func<int, bool>? Find(string name) => Tables.Value.Scripts.TryGetValue(name, out var ranges) ? ranges.Contains : null;

    /// <summary>Number of the script that Unicode 9 gives a code point; −1 for one that it does not know.</summary>
    public static int OfUnicode9(int codePoint)
    {
        if (Tables.Value.Later.Contains(codePoint))
            return -1;
        var name = codePoint switch
        {
            0x589 or 0x61C => "common",
            0x953 or 0x954 => "devanagari",
            _ => null,
        };
        var index = 0;
        foreach (var (script, ranges) in Tables.Value.Scripts)
        {
            if (name is null ? ranges.Contains(codePoint) : script == name)
                return index;
            index++;
        }

        return -1;
    }

    private static (Dictionary<string, CodePointRanges> Scripts, CodePointRanges Later) Read()
    {
        using var resource = typeof(UnicodeScripts).Assembly.GetManifestResourceStream("Tokenizers/Scripts.bin")!;
        using var reader = new StreamReader(new DeflateStream(resource, CompressionMode.Decompress));
        var scripts = new Dictionary<string, CodePointRanges>();
        while (reader.ReadLine() is { } line)
        {
            var space = line.IndexOf(' ');
            scripts[line[..space]] = new CodePointRanges(line[space..]);
        }

        scripts.Remove(LaterLine, out var later);
        return (scripts, later);
    }
}
