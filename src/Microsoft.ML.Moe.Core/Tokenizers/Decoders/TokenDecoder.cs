using System.Globalization;
using System.Text;

namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>Makes text of tokens. Safe to use from several threads.</summary>
internal abstract class TokenDecoder
{
    /// <summary>Changes the texts of tokens, which joined give the text.</summary>
    public abstract List<string> Decode(List<string> tokens);
}

/// <summary>Decoders one after another.</summary>
internal sealed class SequenceDecoder(IReadOnlyList<TokenDecoder> decoders) : TokenDecoder
{
    private readonly IReadOnlyList<TokenDecoder> _decoders =
        [.. decoders.SelectMany(d => d is SequenceDecoder sequence ? sequence._decoders : [d])];

    public override List<string> Decode(List<string> tokens)
    {
        var characters = tokens.Sum(t => (long)t.Length);
        foreach (var decoder in _decoders)
        {
            tokens = decoder.Decode(tokens);
            TextGrowth.Check(characters, tokens.Sum(t => (long)t.Length));
        }

        return tokens;
    }
}

/// <summary>A space before every token but the first and continuations, which lose their prefix.</summary>
internal sealed class WordPieceDecoder(string prefix, bool cleansUp) : TokenDecoder
{
    private static readonly (string From, string To)[] CleanUps =
    [
        (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"), (" do not", " don't"),
        (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ];

    /// <summary>Removes spaces before punctuation and in English contractions.</summary>
    public static string CleanUp(string text)
    {
        foreach (var (from, to) in CleanUps)
            text = text.Replace(from, to, StringComparison.Ordinal);
        return text;
    }

    public override List<string> Decode(List<string> tokens)
    {
        for (var i = 0; i < tokens.Count; i++)
        {
            if (i > 0)
                tokens[i] = tokens[i].StartsWith(prefix, StringComparison.Ordinal) ? tokens[i][prefix.Length..] : " " + tokens[i];
            if (cleansUp)
                tokens[i] = CleanUp(tokens[i]);
        }

        return tokens;
    }
}

/// <summary>Characters back to bytes, and these as UTF-8; a token with other characters is taken as it stands.</summary>
internal sealed class ByteLevelDecoder : TokenDecoder
{
    public override List<string> Decode(List<string> tokens)
    {
        var bytes = new List<byte>();
        foreach (var token in tokens)
        {
            if (token.All(c => ByteLevelAlphabet.ByteOf(c) >= 0))
                bytes.AddRange(token.Select(c => (byte)ByteLevelAlphabet.ByteOf(c)));
            else
                bytes.AddRange(Encoding.UTF8.GetBytes(token));
        }

        return [Encoding.UTF8.GetString(bytes.ToArray())];
    }
}

/// <summary>Marks back to spaces, that of the first token left out.</summary>
internal sealed class MetaspaceDecoder(string mark, bool dropsFirst) : TokenDecoder
{
    public override List<string> Decode(List<string> tokens)
    {
        for (var i = 0; i < tokens.Count; i++)
            tokens[i] = tokens[i].Replace(mark, i == 0 && dropsFirst ? "" : " ", StringComparison.Ordinal);
        return tokens;
    }
}

/// <summary>Suffixes of words to spaces, that of the last token left out.</summary>
internal sealed class BpeDecoder(string suffix) : TokenDecoder
{
    public override List<string> Decode(List<string> tokens)
    {
        for (var i = 0; i < tokens.Count && suffix.Length > 0; i++)
            tokens[i] = tokens[i].Replace(suffix, i == tokens.Count - 1 ? "" : " ", StringComparison.Ordinal);
        return tokens;
    }
}

/// <summary>Runs of byte tokens as UTF-8; a run that is none becomes one U+FFFD a byte.</summary>
internal sealed class ByteFallbackDecoder : TokenDecoder
{
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    public override List<string> Decode(List<string> tokens)
    {
        var (results, bytes) = (new List<string>(tokens.Count), new List<byte>());
        foreach (var token in tokens)
        {
            if (token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
                && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value))
            {
                bytes.Add(value);
                continue;
            }

            Flush(bytes, results);
            results.Add(token);
        }

        Flush(bytes, results);
        return results;
    }

    private static void Flush(List<byte> bytes, List<string> results)
    {
        if (bytes.Count == 0)
            return;
        try
        {
            results.Add(Strict.GetString(bytes.ToArray()));
        }
        catch (DecoderFallbackException)
        {
            results.AddRange(Enumerable.Repeat("\uFFFD", bytes.Count));
        }

        bytes.Clear();
    }
}

/// <summary>All tokens to one.</summary>
internal sealed class FuseDecoder : TokenDecoder
{
    public override List<string> Decode(List<string> tokens) => [string.Concat(tokens)];
}

/// <summary>Strips at most so many of a character at the ends of every token.</summary>
internal sealed class StripDecoder(string content, int start, int end) : TokenDecoder
{
    public override List<string> Decode(List<string> tokens)
    {
        for (var i = 0; i < tokens.Count; i++)
        {
            var token = tokens[i].AsSpan();
            for (var n = 0; n < start && token.StartsWith(content); n++)
                token = token[content.Length..];
            for (var n = 0; n < end && token.EndsWith(content); n++)
                token = token[..^content.Length];
            tokens[i] = token.ToString();
        }

        return tokens;
    }
}

/// <summary>Replaces all matches of a pattern.</summary>
internal sealed class ReplaceDecoder(TextPattern pattern, string content) : TokenDecoder
{
    public override List<string> Decode(List<string> tokens)
    {
        var matches = new List<PatternMatch>();
        for (var i = 0; i < tokens.Count; i++)
        {
            matches.Clear();
            pattern.FindMatches(tokens[i], matches);
            var (text, last) = (new StringBuilder(), 0);
            foreach (var (start, end) in matches)
            {
                text.Append(tokens[i], last, start - last).Append(content);
                last = end;
            }

            tokens[i] = text.Append(tokens[i], last, tokens[i].Length - last).ToString();
        }

        return tokens;
    }
}

/// <summary>Connectionist temporal classification: repeated tokens once, padding left out, delimiters to spaces.</summary>
internal sealed class CtcDecoder(string padding, string delimiter, bool cleansUp) : TokenDecoder
{
    public override List<string> Decode(List<string> tokens)
    {
        var results = new List<string>();
        for (var i = 0; i < tokens.Count; i++)
        {
            if (i > 0 && tokens[i] == tokens[i - 1])
                continue;
            var text = padding.Length == 0 ? tokens[i] : tokens[i].Replace(padding, "", StringComparison.Ordinal);
            if (cleansUp)
            {
                text = WordPieceDecoder.CleanUp(text);
                if (delimiter.Length > 0)
                    text = text.Replace(delimiter, " ", StringComparison.Ordinal);
            }

            if (text.Length > 0)
                results.Add(text);
        }

        return results;
    }
}
