namespace Samples;

/// <summary>What a method does, and what a method returns.</summary>
/// <param name="Label"><see cref="DocPairs.Same"/> or <see cref="DocPairs.Other"/>.</param>
/// <param name="Type">The outermost type of the method that <paramref name="Sentence1"/> is about.</param>
/// <param name="Sentence1">What the method does.</param>
/// <param name="Sentence2">What it, or another one, returns.</param>
internal sealed record DocPair(string Label, string Type, string Sentence1, string Sentence2);

/// <summary>Makes a task on pairs of texts out of XML documentation: are the two about the same method?</summary>
internal static class DocPairs
{
    /// <summary>Label of two texts about the same method.</summary>
    public const string Same = "same";

    /// <summary>Label of two texts about different methods of a namespace.</summary>
    public const string Other = "other";

    /// <summary>The pairs in documentation files.</summary>
    /// <param name="files">Paths.</param>
    public static DocSplit<DocPair> Load(IEnumerable<string> files) =>
        DocSplit.ByType(DocMember.Load(files), member => member.Type).Map(Of);

    /// <summary>
    /// A pair for each method with a summary and a description of what it returns, each two texts once; for about half of them the
    /// description is that of another method of the same namespace. Methods whose namespace has no other description stay out.
    /// </summary>
    public static IReadOnlyList<DocPair> Of(IEnumerable<DocMember> members)
    {
        var pairs = new List<DocPair>();
        var methods = members.Where(member => member.Returns.Count > 0)
            .Select(member => (member.Id, member.Label, member.Type, Does: Text(member.Summary), Returns: Text(member.Returns)))
            .DistinctBy(method => (method.Does, method.Returns));
        foreach (var group in methods.GroupBy(method => method.Label).Select(group => group.ToList()))
        {
            // What is true of several descriptions of the same summary would be a pair with both labels.
            var truths = group.ToLookup(method => method.Does, method => method.Returns);
            foreach (var (id, _, type, does, returns) in group)
            {
                var hash = DocSplit.Hash(id);
                var others = Enumerable.Range(0, group.Count).Select(step => group[(int)((hash / 2 + step) % group.Count)].Returns);
                if (others.FirstOrDefault(text => !truths[does].Contains(text)) is { } other)
                    pairs.Add(hash % 2 == 0 ? new DocPair(Same, type, does, returns) : new DocPair(Other, type, does, other));
            }
        }
        return pairs;
    }

    private static string Text(IEnumerable<string> sentences) => string.Join(' ', sentences);
}
