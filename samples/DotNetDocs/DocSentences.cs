namespace Samples;

/// <summary>A sentence of a type's documentation.</summary>
/// <param name="Label">First two segments of the type's namespace.</param>
/// <param name="Type">The outermost type that the sentence is about.</param>
/// <param name="Text">The sentence.</param>
internal sealed record DocSentence(string Label, string Type, string Text);

/// <summary>
/// Makes a classification task out of XML documentation: from a sentence, tell the namespace that it documents. Only summaries are
/// read: parameters and exceptions read much the same in every namespace.
/// </summary>
internal static class DocSentences
{
    private const int MinimumSentences = 400;

    /// <summary>The sentences of documentation files.</summary>
    /// <param name="files">Paths.</param>
    /// <param name="minimumSentences">Labels with fewer sentences are left out.</param>
    public static DocSplit<DocSentence> Load(IEnumerable<string> files, int minimumSentences = MinimumSentences) =>
        DocSplit.ByType(WithEnoughSentences(Unambiguous(Of(DocMember.Load(files))), minimumSentences), sentence => sentence.Type);

    /// <summary>All sentences about what members are for.</summary>
    public static IEnumerable<DocSentence> Of(IEnumerable<DocMember> members) =>
        members.SelectMany(member => member.Summary, (member, sentence) => new DocSentence(member.Label, member.Type, sentence));

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
}
