using System.Globalization;

namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>
/// A place in a regular expression, and what is read at it: classes, code points written with a backslash, and sets. Source:
/// kkos/oniguruma,
/// doc/RE.
/// </summary>
/// <param name="pattern">The expression.</param>
/// <param name="where">What errors call the place it comes from.</param>
internal sealed class PatternCursor(string pattern, string where)
{
    private const int MaximumDepth = 200;
    private int _depth;

    /// <summary>Index of the next character.</summary>
    public int At { get; set; }

    /// <summary>Whether all has been read.</summary>
    public bool IsAtEnd => At >= pattern.Length;

    /// <summary>The expression from here on.</summary>
    public ReadOnlySpan<char> Rest => pattern.AsSpan(At);

    /// <summary>The next character; U+0000 at the end.</summary>
    public char Peek() => At < pattern.Length ? pattern[At] : '\0';

    /// <summary>Reads a text if it comes next.</summary>
    public bool TryTake(string text)
    {
        if (!Rest.StartsWith(text))
            return false;
        At += text.Length;
        return true;
    }

    /// <summary>Reads a code point.</summary>
    public int Take()
    {
        var codePoint = CodePoints.At(pattern, At, out var length);
        At += length;
        return codePoint;
    }

    /// <summary>Reads up to a text, and the text; null when it does not come.</summary>
    public string? TakeUntil(string text)
    {
        var end = pattern.IndexOf(text, At, StringComparison.Ordinal);
        if (end < 0)
            return null;
        var taken = pattern[At..end];
        At = end + text.Length;
        return taken;
    }

    /// <summary>Enters a group or set; to be left by <see cref="Leave"/>.</summary>
    public void Enter()
    {
        if (++_depth > MaximumDepth)
            throw Fail($"is nested deeper than {MaximumDepth} levels");
    }

    /// <summary>Leaves a group or set.</summary>
    public void Leave() => _depth--;

    /// <summary>An error that names the expression.</summary>
    public InvalidDataException Fail(string what) => new($"{where}: the regular expression '{pattern}' {what}.");

    /// <summary>A class such as \s or \p{L}, the backslash read already; null for anything else.</summary>
    public Func<int, bool>? TryReadClass(bool isInSet)
    {
        var kind = Peek();
        if (kind is not ('p' or 'P'))
        {
            var rule = PatternClasses.OfEscape(kind, isInSet);
            if (rule is not null)
                At++;
            return rule;
        }

        At++;
        if (!TryTake("{"))
            throw Fail("has \\p without a name in braces");
        var isNegative = TryTake("^") ^ (kind == 'P');
        var name = TakeUntil("}") ?? throw Fail("has \\p without a name in braces");
        var property = PatternClasses.OfProperty(name) ?? throw Fail($"has the property {name}, which is not supported");
        return isNegative ? c => !property(c) : property;
    }

    /// <summary>A code point written with a backslash, which has been read.</summary>
    public int ReadEscapedCodePoint()
    {
        if (At == pattern.Length)
            throw Fail("ends with a backslash");
        var c = Take();
        switch (c)
        {
            case 't':
                return '\t';
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 'f':
                return '\f';
            case 'v':
                return '\v';
            case 'a':
                return '\a';
            case 'e':
                return 0x1B;
            case 'u':
                return Hexadecimal(4);
            case 'x' when TryTake("{"):
                var end = pattern.IndexOf('}', At);
                var code = end < 0 ? throw Fail("lacks a '}'") : Hexadecimal(end - At);
                At++;
                return code;
            case 'x':
                return Hexadecimal(At + 1 < pattern.Length && char.IsAsciiHexDigit(pattern[At + 1]) ? 2 : 1);
            case '0':
                return 0;
            case >= '1' and <= '9' or 'k' or 'g' or 'K' or 'G' or 'X' or 'N' or 'O' or 'y' or 'Y' or 'c' or 'C' or 'M':
                throw Fail($"has \\{(char)c}, which is not supported");
            default:
                return c;
        }
    }

    private int Hexadecimal(int digits)
    {
        if (digits is < 1 or > 8 || At + digits > pattern.Length
            || !int.TryParse(pattern.AsSpan(At, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code)
            || code is < 0 or > 0x10FFFF)
            throw Fail("has a code point that does not exist");
        At += digits;
        return code;
    }

    /// <summary>A set, whose opening bracket has been read.</summary>
    public Func<int, bool> ReadSet()
    {
        Enter();
        var isNegative = TryTake("^");
        var rules = new List<Func<int, bool>>();
        Func<int, bool>? both = null;
        for (var isFirst = true; ; isFirst = false)
        {
            if (At >= pattern.Length)
                throw Fail("lacks a ']'");
            if (!isFirst && TryTake("]"))
                break;
            if (TryTake("&&"))
            {
                both = And(both, Or(rules));
                rules = [];
            }
            else
            {
                rules.Add(ReadSetPart());
            }
        }

        Leave();
        var rule = And(both, Or(rules));
        return isNegative ? c => !rule(c) : rule;
    }

    private Func<int, bool> ReadSetPart()
    {
        if (TryTake("[:"))
        {
            var isNegative = TryTake("^");
            var name = TakeUntil(":]") ?? throw Fail("lacks a ':]'");
            var bracket = PatternClasses.OfBracket(name) ?? throw Fail($"has [:{name}:], which is not supported");
            return isNegative ? c => !bracket(c) : bracket;
        }

        if (TryTake("["))
            return ReadSet();
        var isEscaped = TryTake("\\");
        if (isEscaped && TryReadClass(isInSet: true) is { } rule)
            return rule;
        var first = SetCodePoint(isEscaped);
        if (Peek() != '-' || At + 1 >= pattern.Length || pattern[At + 1] is ']')
            return c => c == first;
        var dash = At++;
        if (Peek() == '[' || pattern.AsSpan(At).StartsWith("&&"))
        {
            At = dash;
            return c => c == first;
        }

        isEscaped = TryTake("\\");
        if (isEscaped && TryReadClass(isInSet: true) is { } after)
            return c => c == first || c == '-' || after(c);
        var last = SetCodePoint(isEscaped);
        return first <= last ? c => c >= first && c <= last : throw Fail($"has an empty range in a set at character {dash}");
    }

    private int SetCodePoint(bool isEscaped)
    {
        if (isEscaped)
            return TryTake("b") ? '\b' : ReadEscapedCodePoint();
        return Take();
    }

    private static Func<int, bool> Or(List<Func<int, bool>> rules) =>
        rules.Count == 1 ? rules[0] : c => rules.Exists(rule => rule(c));

    private static Func<int, bool> And(Func<int, bool>? one, Func<int, bool> other) => one is null ? other : c => one(c) && other(c);
}
