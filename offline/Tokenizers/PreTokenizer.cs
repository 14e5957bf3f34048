using System.Text.RegularExpressions;

namespace Microsoft.ML.Tokenizers;

/// <summary>Says where in a text the words are.</summary>
public abstract class PreTokenizer
{
    private static readonly Regex s_wordOrPunctuation = new(@"\w+|[\p{P}]", RegexOptions.Compiled);
    private static readonly Regex s_wordOrNonWord = new(@"\w+|[^\w\s]+", RegexOptions.Compiled);
    private static readonly Regex s_nonSpace = new(@"\S+", RegexOptions.Compiled);

    protected PreTokenizer()
    {
    }

    public static PreTokenizer CreateWordOrPunctuation(IReadOnlyDictionary<string, int> specialTokens = null) =>
        new RegexPreTokenizer(s_wordOrPunctuation, specialTokens);

    public static PreTokenizer CreateWordOrNonWord(IReadOnlyDictionary<string, int> specialTokens = null) =>
        new RegexPreTokenizer(s_wordOrNonWord, specialTokens);

    public static PreTokenizer CreateWhiteSpace(IReadOnlyDictionary<string, int> specialTokens = null) =>
        new RegexPreTokenizer(s_nonSpace, specialTokens);

    public abstract IEnumerable<(int Offset, int Length)> PreTokenize(string text);

    public abstract IEnumerable<(int Offset, int Length)> PreTokenize(ReadOnlySpan<char> text);
}

/// <summary>The words are what matches; a special token is one word wherever it occurs.</summary>
public sealed class RegexPreTokenizer : PreTokenizer
{
    private readonly Regex _regex;
    private readonly Regex _special;

    public RegexPreTokenizer(Regex regex, IReadOnlyDictionary<string, int> specialTokens)
    {
        ArgumentNullException.ThrowIfNull(regex);
        _regex = regex;
        if (specialTokens is { Count: > 0 })
            _special = new Regex(string.Join("|", specialTokens.Keys.Select(Regex.Escape)));
    }

    public override IEnumerable<(int Offset, int Length)> PreTokenize(ReadOnlySpan<char> text) => PreTokenize(text.ToString());

    public override IEnumerable<(int Offset, int Length)> PreTokenize(string text)
    {
        var start = 0;
        if (string.IsNullOrEmpty(text))
            yield break;
        for (var special = _special?.Match(text); special is { Success: true }; special = special.NextMatch())
        {
            foreach (var word in Words(text, start, special.Index))
                yield return word;
            yield return (special.Index, special.Length);
            start = special.Index + special.Length;
        }

        foreach (var word in Words(text, start, text.Length))
            yield return word;
    }

    private IEnumerable<(int Offset, int Length)> Words(string text, int start, int end)
    {
        for (var match = _regex.Match(text, start, end - start); match.Success; match = match.NextMatch())
            yield return (match.Index, match.Length);
    }
}
