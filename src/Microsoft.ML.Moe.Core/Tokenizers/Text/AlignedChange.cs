namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>
/// One code point of a changed text: what it does to the text before the change decides which part of the original it stands for.
/// Source: huggingface/tokenizers, <c>NormalizedString::transform</c>.
/// </summary>
/// <param name="CodePoint">The code point.</param>
/// <param name="Change">
/// 0: replaces the next code point; positive: is added and stands for what the one before it stands for; −n: replaces the next code point
/// and
/// swallows the n after it.
/// </param>
internal readonly record struct AlignedChange(int CodePoint, int Change)
{
    /// <summary>Applies changes to a whole text.</summary>
    public static void Apply(AlignedText source, List<AlignedChange> changes, AlignedText target)
    {
        target.Clear();
        var starts = source.Starts;
        var ends = source.Ends;
        var next = 0;
        foreach (var (codePoint, change) in changes)
        {
            if (change > 0)
            {
                target.Append(codePoint, next == 0 ? 0 : starts[next - 1], next == 0 ? 0 : ends[next - 1]);
                continue;
            }

            var own = Math.Min(next, source.Length - 1);
            target.Append(codePoint, starts[own], ends[own]);
            for (var taken = change; taken <= 0 && next < source.Length; taken++)
            {
                source.CodePointAt(next, out var length);
                next += length;
            }
        }
    }
}
