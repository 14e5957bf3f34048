using System.Text;
using System.Xml;

namespace Microsoft.ML.Moe.Experiments.Data;

/// <summary>A member of a documented type: what it is for and what it gives back, as plain text.</summary>
internal readonly record struct DocumentedMember(string Area, string Type, string Summary, string Returns);

/// <summary>The documentation files of a .NET SDK's reference packs.</summary>
internal static class DocumentationMembers
{
    private static readonly string[] Packs = ["Microsoft.NETCore.App.Ref", "Microsoft.AspNetCore.App.Ref"];

    /// <summary>Members with a summary, hardware intrinsics left out. An area is the first two parts of a namespace.</summary>
    public static IReadOnlyList<DocumentedMember> Read() => [.. Files().SelectMany(Read)];

    private static SortedDictionary<string, string>.ValueCollection Files()
    {
        var runtime = new FileInfo(typeof(object).Assembly.Location).Directory!;
        var packs = Path.Combine(runtime.Parent!.Parent!.Parent!.FullName, "packs");
        var files = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var pack in Packs)
        {
            if (!Directory.Exists(Path.Combine(packs, pack)))
                throw new UserException($"There is no '{pack}' in '{packs}': an SDK with its reference packs is needed.");
            foreach (var file in Directory.EnumerateFiles(Path.Combine(packs, pack), "*.xml", SearchOption.AllDirectories).Order())
                files.TryAdd(Path.GetFileName(file), file);
        }

        return files.Values;
    }

    private static IEnumerable<DocumentedMember> Read(string file)
    {
        var document = new XmlDocument();
        document.Load(file);
        foreach (XmlNode member in document.GetElementsByTagName("member"))
        {
            var id = member.Attributes?["name"]?.Value ?? "";
            var name = id.Length > 2 ? id[2..].Split('(')[0] : "";
            var type = id.StartsWith("T:", StringComparison.Ordinal) ? name : name[..Math.Max(0, name.LastIndexOf('.'))];
            var parts = type.Split('.');
            if (parts.Length < 3 || type.StartsWith("System.Runtime.Intrinsics", StringComparison.Ordinal))
                continue;
            var summary = TextOf(member["summary"]);
            if (summary.Length > 0)
                yield return new DocumentedMember($"{parts[0]}.{parts[1]}", type.Split('`')[0], summary, TextOf(member["returns"]));
        }
    }

    private static string TextOf(XmlNode? node)
    {
        var text = new StringBuilder();
        Append(node);
        return string.Join(' ', text.ToString().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

        void Append(XmlNode? part)
        {
            if (part is XmlText or XmlCDataSection)
                text.Append(part.Value);
            else if (part?.Attributes?["cref"]?.Value is { } reference)
                text.Append(' ').Append(reference.Split('(')[0].Split('.')[^1]).Append(' ');
            else if ((part?.Attributes?["langword"] ?? part?.Attributes?["name"])?.Value is { } word)
                text.Append(' ').Append(word).Append(' ');
            foreach (XmlNode child in part?.ChildNodes ?? (System.Collections.IEnumerable)Array.Empty<XmlNode>())
                Append(child);
            text.Append(' ');
        }
    }
}
