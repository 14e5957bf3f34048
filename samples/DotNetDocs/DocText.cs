using System.Text;
using System.Xml;

namespace Samples;

/// <summary>Turns documentation markup into plain sentences.</summary>
internal static class DocText
{
    // Elements that begin a new passage: no sentence goes across.
    private static readonly HashSet<string> Blocks =
        ["para", "p", "br", "list", "listheader", "item", "term", "description", "ul", "ol", "li", "div", "table", "tr", "td"];

    private static readonly HashSet<string> Skipped = ["example", "script", "format", "seealso"];

    // Stand between the conditions of an exception.
    private static readonly string[] Alternatives = [" -or- ", " -and- "];

    private const StringSplitOptions SplitAndTrim = StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries;

    private static readonly HashSet<string> Abbreviations = new(StringComparer.OrdinalIgnoreCase)
    {
        "e.g.", "i.e.", "eg.", "ie.", "vs.", "cf.", "approx.", "fig.", "sec.", "resp.", "viz.",
    };

    /// <summary>
    /// Passages of the element that the reader is on, tags resolved to plain words and white space collapsed; leaves the reader on
    /// its end.
    /// </summary>
    public static IReadOnlyList<string> Read(XmlReader reader)
    {
        var passages = new List<string>();
        var passage = new StringBuilder();
        var code = 0;
        var depth = reader.Depth;
        var more = !reader.IsEmptyElement && reader.Read();
        while (more && reader.Depth > depth)
        {
            var advanced = false;
            switch (reader.NodeType)
            {
                case XmlNodeType.Text or XmlNodeType.CDATA or XmlNodeType.Whitespace or XmlNodeType.SignificantWhitespace:
                    passage.Append(reader.Value);
                    break;
                case XmlNodeType.Element when Skipped.Contains(reader.Name):
                    reader.Skip();
                    advanced = true;
                    break;
                case XmlNodeType.Element when reader.Name == "code":
                    code = passage.Length;
                    break;
                case XmlNodeType.EndElement when reader.Name == "code":
                    EndCode();
                    break;
                case XmlNodeType.Element when Blocks.Contains(reader.Name):
                    EndPassage();
                    break;
                case XmlNodeType.Element when reader.IsEmptyElement:
                    passage.Append(Reference(reader));
                    break;
                case XmlNodeType.EndElement when Blocks.Contains(reader.Name):
                    EndPassage();
                    break;
            }
            more = advanced ? !reader.EOF : reader.Read();
        }
        EndPassage();
        return passages;

        void EndPassage()
        {
            passages.AddRange($" {Collapse(passage)} ".Split(Alternatives, SplitAndTrim));
            passage.Clear();
            code = 0;
        }

        // A listing is left out and ends the passage; a few words marked as code are part of it.
        void EndCode()
        {
            if (!passage.ToString(code, passage.Length - code).Trim().Contains('\n'))
                return;
            passage.Length = code;
            EndPassage();
        }
    }

    /// <summary>The sentences of a passage.</summary>
    public static IEnumerable<string> Sentences(string passage)
    {
        var start = 0;
        for (var space = passage.IndexOf(' ', StringComparison.Ordinal); space >= 0; space = passage.IndexOf(' ', space + 1))
        {
            if (space > start && EndsSentence(passage.AsSpan(start, space - start)))
            {
                yield return passage[start..space];
                start = space + 1;
            }
        }
        if (start < passage.Length)
            yield return passage[start..];
    }

    /// <summary>Number of words with at least one letter or digit.</summary>
    public static int Words(string sentence) => sentence.Split(' ').Count(word => word.Any(char.IsLetterOrDigit));

    /// <summary>The plain name in a documentation id: <c>M:System.IO.File.Open(System.String)</c> gives <c>Open</c>.</summary>
    public static string Name(string id)
    {
        var kind = id.Length > 1 && id[1] == ':' ? id[0] : ' ';
        var name = (kind == ' ' ? id : id[2..]).Split('(', '{')[0];
        if (kind == 'N')
            return name;
        var segments = name.TrimEnd('*').Split('.');
        var last = segments[^1] is "#ctor" or "#cctor" && segments.Length > 1 ? segments[^2] : segments[^1];
        last = last[(last.LastIndexOf('#') + 1)..].Split('`')[0];
        return last.StartsWith("op_", StringComparison.Ordinal) ? last[3..] : last;
    }

    private static bool EndsSentence(ReadOnlySpan<char> text)
    {
        text = text.TrimEnd(")]\"'”’");
        if (text.Length < 2 || text[^1] is not ('.' or '!' or '?') || text[^2] == '.')
            return false;
        var word = text[(text.LastIndexOf(' ') + 1)..].TrimStart("([\"'“‘");
        return word.Length > 1 && !Abbreviations.Contains(word.ToString());
    }

    // <see cref="T:System.Type"/>, <see langword="null"/>, <paramref name="index"/>, <xref uid="System.Type"/>
    private static string Reference(XmlReader reader)
    {
        if (reader.GetAttribute("cref") is { } cref)
            return Name(cref);
        if (reader.GetAttribute("uid") is { } uid)
            return Name(Uri.UnescapeDataString(uid));
        return reader.GetAttribute("langword") ?? reader.GetAttribute("name") ?? "";
    }

    private static string Collapse(StringBuilder text) =>
        string.Join(' ', text.ToString().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
}
