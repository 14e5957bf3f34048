using System.Globalization;

namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>
/// Reads a regular expression in Oniguruma's syntax for Ruby, as tokenizer files use it: alternatives, groups, options <c>i m x</c>,
/// quantifiers of all three kinds, look-around, atomic groups, sets, properties, and places. Captures count as plain groups; references to
/// them, calls, conditionals and absent operators are refused. Source: kkos/oniguruma, doc/RE.
/// </summary>
internal sealed class PatternParser(string pattern, string where)
{
    private const int MaximumRepetitions = 1000;
    private readonly Dictionary<(int CodePoint, bool IgnoresCase), PatternNode.One> _literals = [];
    private readonly PatternCursor _cursor = new(pattern, where);

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
        return _cursor.IsAtEnd ? node : throw Fail("has a ')' too many");
    }

    private PatternNode ParseChoice()
    {
        _cursor.Enter();
        var parts = new List<PatternNode> { ParseSequence() };
        while (_cursor.Peek() == '|')
        {
            _cursor.At++;
            parts.Add(ParseSequence());
        }

        _cursor.Leave();
        return parts.Count == 1 ? parts[0] : new PatternNode.Choice(parts);
    }

    private PatternNode ParseSequence()
    {
        var parts = new List<PatternNode>();
        while (_cursor.At < pattern.Length && _cursor.Peek() is not ('|' or ')'))
        {
            if (_isExtended && (char.IsWhiteSpace(pattern[_cursor.At]) || pattern[_cursor.At] == '#'))
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
        if (pattern[_cursor.At] != '#')
            _cursor.At++;
        else
            while (_cursor.At < pattern.Length && pattern[_cursor.At] != '\n')
                _cursor.At++;
    }

    private PatternNode ParseQuantified()
    {
        var node = ParseAtom();
        while (TryParseQuantifier(out var least, out var most, out var isInterval))
        {
            var suffix = _cursor.Peek();
            if (suffix == '?')
                _cursor.At++;
            // behind an interval, + is a second quantifier
            var isPossessive = suffix == '+' && !isInterval;
            if (isPossessive)
                _cursor.At++;
            node = new PatternNode.Repeat(node, least, most, suffix == '?');
            if (isPossessive)
                node = new PatternNode.Atomic(node);
        }

        return node;
    }

    private bool TryParseQuantifier(out int least, out int most, out bool isInterval)
    {
        (least, most, isInterval) = (0, int.MaxValue, false);
        switch (_cursor.Peek())
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

        _cursor.At++;
        return true;
    }

    /// <summary>{n}, {n,}, {,m}, {n,m}; anything else is plain text.</summary>
    private bool TryParseInterval(out int least, out int most)
    {
        (least, most) = (0, int.MaxValue);
        var end = pattern.IndexOf('}', _cursor.At);
        if (end < 0)
            return false;
        var parts = pattern[(_cursor.At + 1)..end].Split(',');
        if (parts.Length > 2 || !Array.TrueForAll(parts, p => p.All(char.IsAsciiDigit)) || parts.All(p => p.Length == 0))
            return false;
        least = parts[0].Length == 0 ? 0 : Number(parts[0]);
        most = parts.Length == 1 ? least : parts[1].Length == 0 ? int.MaxValue : Number(parts[1]);
        if (least > most)
            throw Fail($"has the interval {pattern[_cursor.At..(end + 1)]}");
        _cursor.At = end + 1;
        return true;
    }

    private int Number(string digits) =>
        int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= MaximumRepetitions
            ? number
            : throw Fail($"repeats {digits} times; {MaximumRepetitions} are possible");

    private PatternNode ParseAtom()
    {
        var c = _cursor.Take();
        switch (c)
        {
            case '(':
                return ParseGroup();
            case '[':
                return One(_cursor.ReadSet());
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
        if (!_literals.TryGetValue((codePoint, _ignoresCase), out var one))
            _literals.Add((codePoint, _ignoresCase), one = One(c => c == codePoint));

        // the sharp s is two letters to those who ignore case
        if (!_ignoresCase)
            return one;
        return codePoint is 0xDF or 0x1E9E
            ? new PatternNode.Choice([new PatternNode.Sequence([One(c => c == 's'), One(c => c == 's')]), one])
            : one;
    }

    private PatternNode.One One(Func<int, bool> rule) => new(new CodePointSet(_ignoresCase ? CaseFolding.IgnoringCase(rule) : rule));

    private PatternNode ParseGroup()
    {
        var (ignoresCase, dotIsAll, isExtended) = (_ignoresCase, _dotIsAll, _isExtended);
        PatternNode node;
        if (!_cursor.TryTake("?"))
            node = ParseChoice();
        else if (_cursor.TryTake("#"))
            return ParseComment();
        else if (_cursor.TryTake("="))
            node = new PatternNode.Look(ParseChoice(), IsBehind: false, IsNegative: false);
        else if (_cursor.TryTake("!"))
            node = new PatternNode.Look(ParseChoice(), IsBehind: false, IsNegative: true);
        else if (_cursor.TryTake("<="))
            node = new PatternNode.Look(ParseChoice(), IsBehind: true, IsNegative: false);
        else if (_cursor.TryTake("<!"))
            node = new PatternNode.Look(ParseChoice(), IsBehind: true, IsNegative: true);
        else if (_cursor.TryTake(">"))
            node = new PatternNode.Atomic(ParseChoice());
        else
        {
            if (_cursor.TryTake("<"))
                SkipName();
            else
                ParseOptions(':');
            node = ParseChoice();
        }

        if (!_cursor.TryTake(")"))
            throw Fail("lacks a ')'");
        (_ignoresCase, _dotIsAll, _isExtended) = (ignoresCase, dotIsAll, isExtended);
        return node;
    }

    private PatternNode.Empty ParseComment()
    {
        if (_cursor.TakeUntil(")") is null)
            throw Fail("lacks a ')'");
        return new PatternNode.Empty();
    }

    private void SkipName()
    {
        if (string.IsNullOrEmpty(_cursor.TakeUntil(">")))
            throw Fail("names a group without '>'");
    }

    /// <summary>(?imx-imx) on its own.</summary>
    private bool TryParseOptions()
    {
        var end = _cursor.At + 2;
        if (!_cursor.Rest.StartsWith("(?"))
            return false;
        while (end < pattern.Length && pattern[end] is 'i' or 'm' or 'x' or '-')
            end++;
        if (end >= pattern.Length || pattern[end] != ')' || end == _cursor.At + 2)
            return false;
        _cursor.At += 2;
        ParseOptions(')');
        return true;
    }

    /// <summary>Options up to the character that ends them.</summary>
    private void ParseOptions(char end)
    {
        var on = true;
        for (; ; _cursor.At++)
        {
            switch (_cursor.Peek())
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
                    _cursor.At++;
                    return;
                default:
                    throw Fail($"has a group that is not supported at character {_cursor.At}");
            }
        }
    }

    private PatternNode ParseEscape()
    {
        switch (_cursor.Peek())
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
                _cursor.At++;
                return new PatternNode.Atomic(new PatternNode.Choice([
                    new PatternNode.Sequence([One(c => c == '\r'), One(c => c == '\n')]),
                    One(c => c is >= '\n' and <= '\r' or 0x85 or 0x2028 or 0x2029)]));
            default:
                return _cursor.TryReadClass(isInSet: false) is { } rule ? One(rule) : Literal(_cursor.ReadEscapedCodePoint());
        }
    }

    private PatternNode.Place Place(PatternPlace place)
    {
        _cursor.At++;
        return new PatternNode.Place(place);
    }

    private InvalidDataException Fail(string what) => _cursor.Fail(what);
}
