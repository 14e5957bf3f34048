using System.Xml;

namespace Samples;

/// <summary>The documentation of a type or of a member of one.</summary>
/// <param name="Id">Its id in the documentation file.</param>
/// <param name="Type">The outermost type that it belongs to.</param>
/// <param name="Summary">Sentences about what it is for.</param>
/// <param name="Returns">Sentences about what it returns.</param>
internal sealed record DocMember(string Id, string Type, IReadOnlyList<string> Summary, IReadOnlyList<string> Returns)
{
    private const int MinimumWords = 4;
    private const string Intrinsics = "System.Runtime.Intrinsics";

    /// <summary>First two segments of the type's namespace.</summary>
    public string Label => string.Join('.', Type.Split('.')[..^1].Take(2));

    /// <summary>The members in documentation files.</summary>
    public static IEnumerable<DocMember> Load(IEnumerable<string> files) => files.SelectMany(file =>
    {
        using var reader = XmlReader.Create(file, new XmlReaderSettings { DtdProcessing = DtdProcessing.Ignore });
        return Read(reader);
    });

    /// <summary>
    /// The members of one documentation file with their sentences of at least four words, hardware intrinsics and what is in no
    /// namespace left out.
    /// </summary>
    public static IReadOnlyList<DocMember> Read(XmlReader reader)
    {
        var types = new HashSet<string>();
        var members = new List<DocMember>();
        while (reader.ReadToFollowing("member"))
        {
            var id = reader.GetAttribute("name") ?? "";
            var type = DeclaringType(id);
            if (id.StartsWith("T:", StringComparison.Ordinal))
                types.Add(type);
            var (summary, returns) = (new List<string>(), new List<string>());
            using var member = reader.ReadSubtree();
            while (member.Read())
            {
                if (member is { NodeType: XmlNodeType.Element, Depth: 1, Name: "summary" or "returns" })
                {
                    var sentences = member.Name == "summary" ? summary : returns;
                    sentences.AddRange(DocText.Read(member).SelectMany(DocText.Sentences).Where(s => DocText.Words(s) >= MinimumWords));
                }
            }
            if (summary.Count > 0)
                members.Add(new DocMember(id, type, summary, returns));
        }
        return
        [
            .. from member in members
               let type = Outermost(member.Type, types)
               where type.Contains('.', StringComparison.Ordinal) && !type.StartsWith(Intrinsics + ".", StringComparison.Ordinal)
               select member with { Type = type },
        ];
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
}
