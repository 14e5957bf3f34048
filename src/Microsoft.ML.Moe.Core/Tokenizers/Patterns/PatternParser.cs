using System.Globalization;

namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>
/// Reads a regular expression in Oniguruma's syntax for Ruby, as tokenizer files use it: alternatives, groups, options <c>i m x</c>,
/// quantifiers of all three kinds, look-around, atomic groups, sets, properties, and places. Captures count as plain groups; references to
/// them, calls, conditionals and absent operators are refused. Source: kkos/oniguruma, doc/RE.
/// </summary>
internal sealed class PatternParser(string pattern, string where)
{
    private const int MaximumDepth = 200;
    private const int MaximumRepetitions = 1000;
    private int _at;
    private int _depth;

    /// <summary>Whether letters match whatever their case.</summary>
    private bool _ignoresCase;

    /// <summary>Whether the dot matches line ends (Ruby's m).</summary>
    private bool _dotIsAll;

    /// <summary>Whether white space and comments do not count.</summary>
    private bool _isExtended;

    /// <summary>Reads the whole pattern.</summary>
    /// <exception cref="InvalidDataException">It is not valid or not supported.</exception>
    public PatternNode Parse()
    {
        var node = ParseChoice();
        return _at == pattern.Length ? node : throw Fail("has a ')' too many");
    }

    private PatternNode ParseChoice()
    {
        if (++_depth > MaximumDepth)
            throw Fail($"is nested deeper than {MaximumDepth} levels");
        var parts = new List<PatternNode> { ParseSequence() };
        while (Peek() == '|')
        {
            _at++;
            parts.Add(ParseSequence());
        }

        _depth--;
        return parts.Count == 1 ? parts[0] : new PatternNode.Choice(parts);
    }

    private PatternNode ParseSequence()
    {
        var parts = new List<PatternNode>();
        while (_at < pattern.Length && Peek() is not ('|' or ')'))
        {
            if (_isExtended && (char.IsWhiteSpace(pattern[_at]) || pattern[_at] == '#'))
            {
                SkipComment();
                continue;
            }

            // options of a group that has no contents hold for what follows, alternatives included
            if (TryParseOptions())
            {
                parts.Add(ParseChoice());
                continue;
            }

            parts.Add(ParseQuantified());
        }

        return parts.Count == 1 ? parts[0] : new PatternNode.Sequence(parts);
    }

    private void SkipComment()
    {
        if (pattern[_at] != '#')
            _at++;
        else
            while (_at < pattern.Length && pattern[_at] != '\n')
                _at++;
    }

    private PatternNode ParseQuantified()
    {
        var node = ParseAtom();
        while (TryParseQuantifier(out var least, out var most, out var isInterval))
        {
            var suffix = Peek();
            if (suffix == '?')
                _at++;
            // behind an interval, + is a second quantifier
            var isPossessive = suffix == '+' && !isInterval;
            if (isPossessive)
                _at++;
            node = new PatternNode.Repeat(node, least, most, suffix == '?');
            if (isPossessive)
                node = new PatternNode.Atomic(node);
        }

        return node;
    }

    private bool TryParseQuantifier(out int least, out int most, out bool isInterval)
    {
        (least, most, isInterval) = (0, int.MaxValue, false);
        switch (Peek())
        {
            case '*':
                break;
            case '+':
                least = 1;
                break;
            case '?':
                most = 1;
                break;
            case '{':
                return isInterval = TryParseInterval(out least, out most);
            default:
                return false;
        }

        _at++;
        return true;
    }

    /// <summary>{n}, {n,}, {,m}, {n,m}; anything else is plain text.</summary>
    private bool TryParseInterval(out int least, out int most)
    {
        (least, most) = (0, int.MaxValue);
        var end = pattern.IndexOf('}', _at);
        if (end < 0)
            return false;
        var parts = pattern[(_at + 1)..end].Split(',');
        if (parts.Length > 2 || !Array.TrueForAll(parts, p => p.All(char.IsAsciiDigit)) || parts.All(p => p.Length == 0))
            return false;
        least = parts[0].Length == 0 ? 0 : Number(parts[0]);
        most = parts.Length == 1 ? least : parts[1].Length == 0 ? int.MaxValue : Number(parts[1]);
        if (least > most)
            throw Fail($"has the interval {pattern[_at..(end + 1)]}");
        _at = end + 1;
        return true;
    }

    private int Number(string digits) =>
        int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= MaximumRepetitions
            ? number
            : throw Fail($"repeats {digits} times; {MaximumRepetitions} are possible");

    private PatternNode ParseAtom()
    {
        var c = CodePoints.At(pattern, _at, out var length);
        _at += length;
        switch (c)
        {
            case '(':
                return ParseGroup();
            case '[':
                return One(ParseSet());
            case '.':
                return new PatternNode.One(new CodePointSet(_dotIsAll ? _ => true : other => other != '\n'));
            case '^':
                return new PatternNode.Place(PatternPlace.LineStart);
            case '$':
                return new PatternNode.Place(PatternPlace.LineEnd);
            case '\\':
                return ParseEscape();
            case '*' or '+' or '?':
                throw Fail($"has '{(char)c}' with nothing before it");
            default:
                return Literal(c);
        }
    }

    private PatternNode Literal(int codePoint)
    {
        if (!_ignoresCase)
            return new PatternNode.One(new CodePointSet(c => c == codePoint));
        // the sharp s is two letters to those who ignore case
        var one = One(c => c == codePoint);
        return codePoint is 0xDF or 0x1E9E
            ? new PatternNode.Choice([new PatternNode.Sequence([One(c => c == 's'), One(c => c == 's')]), one])
            : one;
    }

    private PatternNode.One One(Func<int, bool> rule) => new(new CodePointSet(_ignoresCase ? CaseFolding.IgnoringCase(rule) : rule));

    private PatternNode ParseGroup()
    {
        var (ignoresCase, dotIsAll, isExtended) = (_ignoresCase, _dotIsAll, _isExtended);
        PatternNode node;
        if (!TryTake("?"))
            node = ParseChoice();
        else if (TryTake("#"))
            return ParseComment();
        else if (TryTake("="))
            node = new PatternNode.Look(ParseChoice(), IsBehind: false, IsNegative: false);
        else if (TryTake("!"))
            node = new PatternNode.Look(ParseChoice(), IsBehind: false, IsNegative: true);
        else if (TryTake("<="))
            node = new PatternNode.Look(ParseChoice(), IsBehind: true, IsNegative: false);
        else if (TryTake("<!"))
            node = new PatternNode.Look(ParseChoice(), IsBehind: true, IsNegative: true);
        else if (TryTake(">"))
            node = new PatternNode.Atomic(ParseChoice());
        else
        {
            if (TryTake("<"))
                SkipName();
            else
                ParseOptions(':');
            node = ParseChoice();
        }

        if (!TryTake(")"))
            throw Fail("lacks a ')'");
        (_ignoresCase, _dotIsAll, _isExtended) = (ignoresCase, dotIsAll, isExtended);
        return node;
    }

    private PatternNode.Empty ParseComment()
    {
        var end = pattern.IndexOf(')', _at);
        _at = end < 0 ? throw Fail("lacks a ')'") : end + 1;
        return new PatternNode.Empty();
    }

    private void SkipName()
    {
        var end = pattern.IndexOf('>', _at);
        if (end <= _at || !pattern.AsSpan(_at, end - _at).ContainsAnyExcept("()"))
            throw Fail("names a group without '>'");
        _at = end + 1;
    }

    /// <summary>(?imx-imx) on its own.</summary>
    private bool TryParseOptions()
    {
        var end = _at + 2;
        if (!pattern.AsSpan(_at).StartsWith("(?"))
            return false;
        while (end < pattern.Length && pattern[end] is 'i' or 'm' or 'x' or '-')
            end++;
        if (end >= pattern.Length || pattern[end] != ')' || end == _at + 2)
            return false;
        _at += 2;
        ParseOptions(')');
        return true;
    }

    /// <summary>Options up to the character that ends them.</summary>
    private void ParseOptions(char end)
    {
        var on = true;
        for (; ; _at++)
        {
            switch (Peek())
            {
                case '-':
                    on = false;
                    break;
                case 'i':
                    _ignoresCase = on;
                    break;
                case 'm':
                    _dotIsAll = on;
                    break;
                case 'x':
                    _isExtended = on;
                    break;
                case var c when c == end:
                    _at++;
                    return;
                default:
                    throw Fail($"has a group that is not supported at character {_at}");
            }
        }
    }

    private PatternNode ParseEscape()
    {
        switch (Peek())
        {
            case 'b':
                return Place(PatternPlace.WordBoundary);
            case 'B':
                return Place(PatternPlace.NoWordBoundary);
            case 'A':
                return Place(PatternPlace.TextStart);
            case 'z':
                return Place(PatternPlace.TextEnd);
            case 'Z':
                return Place(PatternPlace.TextEndOrLastLineEnd);
            case 'R':
                _at++;
                return new PatternNode.Atomic(new PatternNode.Choice([
                    new PatternNode.Sequence([One(c => c == '\r'), One(c => c == '\n')]),
                    One(c => c is >= '\n' and <= '\r' or 0x85 or 0x2028 or 0x2029)]));
            default:
                return TryParseClass(isInSet: false) is { } rule ? One(rule) : Literal(ParseEscapedCodePoint());
        }
    }

    private PatternNode.Place Place(PatternPlace place)
    {
        _at++;
        return new PatternNode.Place(place);
    }

    /// <summary>A class such as \s or \p{L}, the backslash read already; null for anything else.</summary>
    private Func<int, bool>? TryParseClass(bool isInSet)
    {
        var kind = Peek();
        if (kind is not ('p' or 'P'))
        {
            var rule = PatternClasses.OfEscape(kind, isInSet);
            if (rule is not null)
                _at++;
            return rule;
        }

        _at++;
        var end = TryTake("{") ? pattern.IndexOf('}', _at) : -1;
        if (end < 0)
            throw Fail("has \\p without a name in braces");
        var isNegative = TryTake("^") ^ (kind == 'P');
        var name = pattern[_at..end];
        _at = end + 1;
        var property = PatternClasses.OfProperty(name) ?? throw Fail($"has the property {name}, which is not supported");
        return isNegative ? c => !property(c) : property;
    }

    /// <summary>A code point written with a backslash, which has been read.</summary>
    private int ParseEscapedCodePoint()
    {
        if (_at == pattern.Length)
            throw Fail("ends with a backslash");
        var c = CodePoints.At(pattern, _at, out var length);
        _at += length;
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
                var end = pattern.IndexOf('}', _at);
                var code = end < 0 ? throw Fail("lacks a '}'") : Hexadecimal(end - _at);
                _at++;
                return code;
            case 'x':
                return Hexadecimal(_at + 1 < pattern.Length && char.IsAsciiHexDigit(pattern[_at + 1]) ? 2 : 1);
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
        if (digits is < 1 or > 8 || _at + digits > pattern.Length
            || !int.TryParse(pattern.AsSpan(_at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code)
            || code is < 0 or > 0x10FFFF)
            throw Fail("has a code point that does not exist");
        _at += digits;
        return code;
    }

    /// <summary>A set, whose opening bracket has been read.</summary>
    private Func<int, bool> ParseSet()
    {
        if (++_depth > MaximumDepth)
            throw Fail($"is nested deeper than {MaximumDepth} levels");
        var isNegative = TryTake("^");
        var rules = new List<Func<int, bool>>();
        Func<int, bool>? both = null;
        for (var isFirst = true; ; isFirst = false)
        {
            if (_at >= pattern.Length)
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
                rules.Add(ParseSetPart());
            }
        }

        _depth--;
        var rule = And(both, Or(rules));
        return isNegative ? c => !rule(c) : rule;
    }

    private Func<int, bool> ParseSetPart()
    {
        if (TryTake("[:"))
        {
            var end = pattern.IndexOf(":]", _at, StringComparison.Ordinal);
            var isNegative = TryTake("^");
            var name = end < 0 ? throw Fail("lacks a ':]'") : pattern[_at..end];
            _at = end + 2;
            var bracket = PatternClasses.OfBracket(name) ?? throw Fail($"has [:{name}:], which is not supported");
            return isNegative ? c => !bracket(c) : bracket;
        }

        if (TryTake("["))
            return ParseSet();
        var isEscaped = TryTake("\\");
        if (isEscaped && TryParseClass(isInSet: true) is { } rule)
            return rule;
        var first = SetCodePoint(isEscaped);
        if (Peek() != '-' || _at + 1 >= pattern.Length || pattern[_at + 1] is ']')
            return c => c == first;
        var dash = _at++;
        if (Peek() == '[' || pattern.AsSpan(_at).StartsWith("&&"))
        {
            _at = dash;
            return c => c == first;
        }

        isEscaped = TryTake("\\");
        if (isEscaped && TryParseClass(isInSet: true) is { } after)
            return c => c == first || c == '-' || after(c);
        var last = SetCodePoint(isEscaped);
        return first <= last ? c => c >= first && c <= last : throw Fail($"has an empty range in a set at character {dash}");
    }

    private int SetCodePoint(bool isEscaped)
    {
        if (isEscaped)
            return TryTake("b") ? '\b' : ParseEscapedCodePoint();
        var c = CodePoints.At(pattern, _at, out var length);
        _at += length;
        return c;
    }

    private static Func<int, bool> Or(List<Func<int, bool>> rules) =>
        rules.Count == 1 ? rules[0] : c => rules.Exists(rule => rule(c));

    private static Func<int, bool> And(Func<int, bool>? one, Func<int, bool> other) => one is null ? other : c => one(c) && other(c);

    private char Peek() => _at < pattern.Length ? pattern[_at] : '\0';

    private bool TryTake(string text)
    {
        if (!pattern.AsSpan(_at).StartsWith(text))
            return false;
        _at += text.Length;
        return true;
    }

    private InvalidDataException Fail(string what) => new($"{where}: the regular expression '{pattern}' {what}.");
}
