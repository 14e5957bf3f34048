namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>A match: [Start, End) of a text, in UTF-16 units.</summary>
internal readonly record struct PatternMatch(int Start, int End);

/// <summary>Something to be found in text, again and again from left to right without overlaps. Safe to use from several threads.</summary>
internal abstract class TextPattern
{
    /// <summary>Adds all matches in their order.</summary>
    public abstract void FindMatches(ReadOnlySpan<char> text, List<PatternMatch> matches);
}

/// <summary>A text that stands for itself.</summary>
internal sealed class LiteralPattern(string literal) : TextPattern
{
    public override void FindMatches(ReadOnlySpan<char> text, List<PatternMatch> matches)
    {
        if (literal.Length == 0)
            return;
        for (var start = 0; start < text.Length;)
        {
            var found = text[start..].IndexOf(literal, StringComparison.Ordinal);
            if (found < 0)
                return;
            matches.Add(new PatternMatch(start + found, start + found + literal.Length));
            start += found + literal.Length;
        }
    }
}

/// <summary>Single code points of a set.</summary>
internal sealed class CodePointPattern(CodePointSet set) : TextPattern
{
    public override void FindMatches(ReadOnlySpan<char> text, List<PatternMatch> matches)
    {
        for (var i = 0; i < text.Length;)
        {
            var codePoint = CodePoints.At(text, i, out var length);
            if (set.Contains(codePoint))
                matches.Add(new PatternMatch(i, i + length));
            i += length;
        }
    }
}

/// <summary>A regular expression in Oniguruma's syntax.</summary>
internal sealed class RegexPattern : TextPattern
{
    private readonly PatternInstruction[] _program;

    /// <summary>Compiles a pattern.</summary>
    /// <param name="pattern">The pattern.</param>
    /// <param name="where">What errors call the place it comes from.</param>
    /// <exception cref="InvalidDataException">The pattern is not valid, or has parts that are not supported.</exception>
    public RegexPattern(string pattern, string where) => _program = PatternCompiler.Compile(pattern, where);

    public override void FindMatches(ReadOnlySpan<char> text, List<PatternMatch> matches)
    {
        var matcher = new PatternMatcher(_program, text);
        var (from, lastEnd) = (0, -1);
        while (from <= text.Length && matcher.Search(from, out var match))
        {
            if (match.Start == match.End && match.End == lastEnd)
            {
                // an empty match right behind another one does not count
                from += from < text.Length && char.IsHighSurrogate(text[from]) ? 2 : 1;
                continue;
            }

            matches.Add(match);
            from = lastEnd = match.End;
        }
    }
}
