using System.Xml;

namespace TextClassification;

/// <summary>A sentence of a type's documentation.</summary>
/// <param name="Label">First two segments of the type's namespace.</param>
/// <param name="Type">The outermost type that the sentence is about.</param>
/// <param name="Text">The sentence.</param>
internal sealed record DocSentence(string Label, string Type, string Text);

/// <summary>Sentences for training, for validation and for testing; no type is in two of them.</summary>
internal sealed record DocSplit(
    IReadOnlyList<DocSentence> Train, IReadOnlyList<DocSentence> Validation, IReadOnlyList<DocSentence> Test);

/// <summary>
/// Makes a classification task out of XML documentation: from a sentence, tell the namespace that it documents.
/// </summary>
internal static class DocSentences
{
    private const int MinimumWords = 4;
    private const int MinimumSentences = 400;
    private const string Intrinsics = "System.Runtime.Intrinsics";

    /// <summary>The sentences of documentation files in a split by type: about a fifth to test, a tenth of the rest to validate.</summary>
    /// <param name="files">Paths.</param>
    /// <param name="minimumSentences">Labels with fewer sentences are left out.</param>
    public static DocSplit Load(IEnumerable<string> files, int minimumSentences = MinimumSentences)
    {
        var all = files.SelectMany(file =>
        {
            using var reader = XmlReader.Create(file, new XmlReaderSettings { DtdProcessing = DtdProcessing.Ignore });
            return Read(reader);
        });
        return Split(WithEnoughSentences(Unambiguous(all), minimumSentences));
    }

    /// <summary>All sentences of one documentation file of at least four words, hardware intrinsics left out.</summary>
    public static IReadOnlyList<DocSentence> Read(XmlReader reader)
    {
        var types = new HashSet<string>();
        var members = new List<(string Type, List<string> Sentences)>();
        while (reader.ReadToFollowing("member"))
        {
            var id = reader.GetAttribute("name") ?? "";
            var type = DeclaringType(id);
            if (id.StartsWith("T:", StringComparison.Ordinal))
                types.Add(type);
            var sentences = new List<string>();
            using var member = reader.ReadSubtree();
            while (member.Read())
            {
                // What a type or member is for; parameters and exceptions read much the same in every namespace.
                if (member is { NodeType: XmlNodeType.Element, Depth: 1, Name: "summary" })
                    sentences.AddRange(DocText.Read(member).SelectMany(DocText.Sentences).Where(s => DocText.Words(s) >= MinimumWords));
            }
            if (sentences.Count > 0)
                members.Add((type, sentences));
        }
        return
        [
            .. from member in members
               let type = Outermost(member.Type, types)
               where type.Contains('.', StringComparison.Ordinal) && !type.StartsWith(Intrinsics + ".", StringComparison.Ordinal)
               let label = string.Join('.', type.Split('.')[..^1].Take(2))
               from sentence in member.Sentences
               select new DocSentence(label, type, sentence),
        ];
    }

    /// <summary>Each sentence once, and none that occurs under two labels.</summary>
    public static IReadOnlyList<DocSentence> Unambiguous(IEnumerable<DocSentence> sentences)
    {
        var labels = new Dictionary<string, string?>();
        var first = new List<DocSentence>();
        foreach (var sentence in sentences)
        {
            var key = Key(sentence);
            if (labels.TryAdd(key, sentence.Label))
                first.Add(sentence);
            else if (labels[key] != sentence.Label)
                labels[key] = null;
        }
        return first.FindAll(sentence => labels[Key(sentence)] is not null);

        static string Key(DocSentence sentence) => sentence.Text.TrimEnd('.', ':', ' ').ToLowerInvariant();
    }

    /// <summary>The sentences of labels that have at least so many.</summary>
    public static IReadOnlyList<DocSentence> WithEnoughSentences(IReadOnlyList<DocSentence> sentences, int minimum)
    {
        var labels = sentences.CountBy(s => s.Label).Where(count => count.Value >= minimum).Select(count => count.Key).ToHashSet();
        return sentences.Where(s => labels.Contains(s.Label)).ToList();
    }

    /// <summary>
    /// Splits by a hash of the type's name without its number of type parameters: <c>Func`1</c> and <c>Func`2</c> read alike and
    /// stay together.
    /// </summary>
    public static DocSplit Split(IEnumerable<DocSentence> sentences)
    {
        var parts = sentences.ToLookup(sentence =>
        {
            var hash = Hash(sentence.Type.Split('`')[0]);
            return hash % 5 == 0 ? 2 : hash / 5 % 10 == 0 ? 1 : 0;
        });
        return new DocSplit([.. parts[0]], [.. parts[1]], [.. parts[2]]);
    }

    // "M:System.IO.File.Open(System.String)" → "System.IO.File", "T:System.IO.File" → "System.IO.File".
    private static string DeclaringType(string id)
    {
        var name = id.Length > 2 ? id[2..].Split('(')[0] : "";
        if (id.StartsWith("T:", StringComparison.Ordinal))
            return name;
        var dot = name.LastIndexOf('.');
        return dot < 0 ? "" : name[..dot];
    }

    // A nested type is written like a type in a namespace of its outer type's name: only the file's other types tell them apart.
    private static string Outermost(string type, HashSet<string> types)
    {
        for (var dot = type.IndexOf('.', StringComparison.Ordinal); dot >= 0; dot = type.IndexOf('.', dot + 1))
        {
            if (types.Contains(type[..dot]))
                return type[..dot];
        }
        return type;
    }

    // FNV-1a with a final mix: string.GetHashCode differs from run to run.
    private static uint Hash(string text)
    {
        var hash = 2166136261u;
        foreach (var c in text)
            hash = (hash ^ c) * 16777619;
        hash = (hash ^ (hash >> 16)) * 0x85EBCA6B;
        return hash ^ (hash >> 13);
    }
}
