namespace Microsoft.ML.Moe.Trainers;

/// <summary>Finds the subwords that two tokenizers have in common: those with the same text.</summary>
internal static class VocabularyMatch
{
    private const char Replacement = '\uFFFD';

    /// <summary>Matches ids.</summary>
    /// <param name="tokenizer">The new tokenizer; null goes on with the earlier one.</param>
    /// <param name="earlier">The earlier tokenizer; null when the earlier model reads hashed words.</param>
    /// <returns>
    /// For each id of the new tokenizer the earlier id of the same subword, −1 where there is none; null when it is the same tokenizer.
    /// Subwords that cannot be told by their text have none.
    /// </returns>
    public static int[]? Of(TextTokenizer? tokenizer, TextTokenizer? earlier)
    {
        if (tokenizer is null || IsSame(tokenizer, earlier))
            return null;
        var idOf = new Dictionary<string, int>();
        var ambiguous = new HashSet<string>();
        for (var id = 0; id < (earlier?.VocabularySize ?? 0); id++)
            if (Readable(earlier!.TextOf(id)) is { } text && !idOf.TryAdd(text, id))
                ambiguous.Add(text);
        return
        [
            .. Enumerable.Range(0, tokenizer.VocabularySize).Select(id =>
                Readable(tokenizer.TextOf(id)) is { } text && !ambiguous.Contains(text) ? idOf.GetValueOrDefault(text, -1) : -1),
        ];
    }

    /// <summary>The same vocabulary file or, for tokenizers without one, the same name and size.</summary>
    private static bool IsSame(TextTokenizer tokenizer, TextTokenizer? earlier)
    {
        if (earlier is null || ReferenceEquals(tokenizer, earlier))
            return earlier is not null;
        return tokenizer.Vocabulary is { } vocabulary
            ? earlier.Vocabulary is { } other && vocabulary.AsSpan().SequenceEqual(other)
            : earlier.Vocabulary is null && tokenizer.Name == earlier.Name && tokenizer.VocabularySize == earlier.VocabularySize;
    }

    /// <summary>A part of a character reads as a replacement character, and could be any.</summary>
    private static string? Readable(string? text) => string.IsNullOrEmpty(text) || text.Contains(Replacement, StringComparison.Ordinal) ? null : text;
}
