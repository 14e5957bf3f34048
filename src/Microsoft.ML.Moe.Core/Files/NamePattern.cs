using System.Globalization;
using System.Text;

namespace Microsoft.ML.Moe.Files;

/// <summary>
/// Names of tensors that differ in numbers: <c>layers.{l}.experts.{e}.w1</c> is <c>layers.3.experts.0.w1</c> with l = 3 and e = 0; an
/// asterisk stands for any text and takes part in matching only. Matching takes time in proportion to the two lengths at most: names may
/// come from a file.
/// </summary>
internal sealed class NamePattern
{
    private readonly string _text;
    private readonly List<Token> _tokens = [];

    /// <summary>Takes a pattern.</summary>
    /// <param name="text">Letters, dots and the like as they are, <c>{variable}</c> for a number, <c>*</c> for any text.</param>
    public NamePattern(string text)
    {
        _text = text;
        var literal = new StringBuilder();
        for (var i = 0; i < text.Length; i++)
        {
            var end = text[i] == '{' ? text.IndexOf('}', i) : i;
            if (end < 0)
                throw new ArgumentException($"'{text}' has a brace that is not closed.", nameof(text));
            if (text[i] is not ('{' or '*'))
            {
                literal.Append(text[i]);
                continue;
            }

            if (literal.Length > 0)
                _tokens.Add(new Token(TokenKind.Literal, literal.ToString()));
            literal.Clear();
            _tokens.Add(text[i] == '*' ? new Token(TokenKind.AnyText, "") : new Token(TokenKind.Number, text[(i + 1)..end]));
            i = end;
        }

        if (literal.Length > 0)
            _tokens.Add(new Token(TokenKind.Literal, literal.ToString()));
        Variables = [.. _tokens.Where(t => t.Kind == TokenKind.Number).Select(t => t.Text).Distinct()];
    }

    private enum TokenKind
    {
        Literal,
        Number,
        AnyText,
    }

    /// <summary>The variables in their order, each once.</summary>
    public IReadOnlyList<string> Variables { get; }

    /// <summary>The numbers that a name has in the variables' places; null where it is no such name.</summary>
    public Dictionary<string, int>? Match(string name)
    {
        var numbers = new Dictionary<string, int>();
        var (token, place) = (0, 0);
        var (anyToken, anyEnd) = (-1, 0);
        while (token < _tokens.Count || place < name.Length)
        {
            if (token < _tokens.Count && _tokens[token].Kind == TokenKind.AnyText)
            {
                (anyToken, anyEnd) = (token++, place);
            }
            else if (token < _tokens.Count && LengthAt(_tokens[token], name, place, numbers) is { } length)
            {
                place += length;
                token++;
            }
            else if (anyToken >= 0 && anyEnd < name.Length)
            {
                // the last asterisk takes one letter more
                (token, place) = (anyToken + 1, ++anyEnd);
            }
            else
            {
                return null;
            }
        }

        return numbers;
    }

    /// <summary>The name with numbers in the variables' places.</summary>
    public string Fill(IReadOnlyDictionary<string, int> numbers) => string.Concat(_tokens.Select(t =>
        t.Kind == TokenKind.Number ? numbers[t.Text].ToString(CultureInfo.InvariantCulture) : t.Text));

    /// <inheritdoc/>
    public override string ToString() => _text;

    // Letters that a token takes from a place of the name on; null where it does not stand there.
    private static int? LengthAt(Token token, string name, int place, Dictionary<string, int> numbers)
    {
        var rest = name.AsSpan(place);
        if (token.Kind == TokenKind.Literal)
            return rest.StartsWith(token.Text, StringComparison.Ordinal) ? token.Text.Length : null;
        var digits = rest.IndexOfAnyExceptInRange('0', '9');
        if (digits < 0)
            digits = rest.Length;
        if (!int.TryParse(rest[..digits], NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            return null;
        numbers[token.Text] = number;
        return digits;
    }

    private readonly record struct Token(TokenKind Kind, string Text);
}
