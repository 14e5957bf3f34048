using System.Text;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>Corrupts texts as <see cref="TextCorruption"/> says. Safe to use from several threads.</summary>
internal sealed class TextCorrupter
{
    private const int MaximumWords = 1 << 20;
    private const int StreamOfRow = 0;
    private const int StreamOfWords = 1;

    private readonly TextCorruption _settings;
    private readonly Lazy<Occurrences<string>> _words;

    /// <summary>Creates it.</summary>
    /// <param name="settings">What is done to texts.</param>
    /// <param name="texts">The table's texts, read when the first word is drawn, if one ever is.</param>
    /// <exception cref="ArgumentException">The settings do not fit each other.</exception>
    public TextCorrupter(TextCorruption settings, Func<IEnumerable<ReadOnlyMemory<char>>> texts)
    {
        settings.Validate();
        (_settings, _words) = (settings, new Lazy<Occurrences<string>>(() => WordsOf(texts())));
    }

    /// <summary>Corrupts a text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="row">Number of its row, which with the seed decides all that is random.</param>
    /// <param name="isChanged">Whether the result is another text.</param>
    public ReadOnlyMemory<char> Corrupt(ReadOnlyMemory<char> text, long row, out bool isChanged)
    {
        isChanged = false;
        if (new StableRandom(_settings.Seed, row, StreamOfRow).Next() >= _settings.RowShare)
            return text;
        var words = new List<Range>();
        WordSplitter.Split(text.Span, words, int.MaxValue);
        if (words.Count == 0)
            return text;
        var random = new StableRandom(_settings.Seed, row, StreamOfWords);
        ReadOnlyMemory<char>?[] pieces = [.. words.Select(word => (ReadOnlyMemory<char>?)text[word])];
        var isMoved = new bool[pieces.Length];
        var (dropped, replaced, pairs) = Counts(pieces.Length, random);
        Swap(pieces, isMoved, pairs, random);
        DropAndReplace(pieces, isMoved, dropped, replaced, random);
        if (!isMoved.Contains(true))
            return text;
        var result = Join(text, words, pieces, isMoved);
        isChanged = !text.Span.SequenceEqual(result);
        return isChanged ? result.AsMemory() : text;
    }

    /// <summary>Words to drop and to replace, and pairs to swap, of n.</summary>
    private (int Dropped, int Replaced, int Pairs) Counts(int n, StableRandom random)
    {
        // one number rounds both, so that their sum is rounded too
        var rounding = random.Next();
        var dropped = (int)Math.Floor(n * _settings.DropShare + rounding);
        var both = Math.Min(n, (int)Math.Floor(n * (_settings.DropShare + _settings.ReplaceShare) + rounding));
        var pairs = (int)Math.Floor(n * _settings.SwapShare / 2 + random.Next());
        return (Math.Min(dropped, n - 1), both - dropped, Math.Min(pairs, (n - both) / 2));
    }

    // a choice of disjoint pairs of neighbours is one of as many places, when each pair is taken for a single place
    private static void Swap(ReadOnlyMemory<char>?[] pieces, bool[] isMoved, int pairs, StableRandom random)
    {
        var places = pieces.Length - pairs;
        for (var position = 0; pairs > 0; position++, places--)
        {
            if (random.Next() * places >= pairs)
                continue;
            (pieces[position], pieces[position + 1]) = (pieces[position + 1], pieces[position]);
            isMoved[position] = isMoved[++position] = true;
            pairs--;
        }
    }

    private void DropAndReplace(ReadOnlyMemory<char>?[] pieces, bool[] isMoved, int dropped, int replaced, StableRandom random)
    {
        var left = isMoved.Count(moved => !moved);
        for (var position = 0; position < pieces.Length && dropped + replaced > 0; position++)
        {
            if (isMoved[position])
                continue;
            var drawn = random.Next() * left--;
            if (drawn >= dropped + replaced)
                continue;
            isMoved[position] = true;
            if (drawn < dropped)
            {
                pieces[position] = null;
                dropped--;
                continue;
            }

            pieces[position] = ReplacementOf(pieces[position]!.Value, random).AsMemory();
            replaced--;
        }
    }

    private string ReplacementOf(ReadOnlyMemory<char> word, StableRandom random) =>
        _settings.Replacement ?? _words.Value.Other(word.ToString(), _settings.ReplacementDraw, random);

    private static string Join(ReadOnlyMemory<char> text, List<Range> words, ReadOnlyMemory<char>?[] pieces, bool[] isMoved)
    {
        var span = text.Span;
        var result = new StringBuilder(text.Length);
        result.Append(span[..words[0].Start.Value]);
        var last = -1;
        for (var i = 0; i < pieces.Length; i++)
        {
            if (pieces[i] is not { } piece)
                continue;
            if (last >= 0)
            {
                var gap = span[words[i - 1].End..words[i].Start];
                var isAsItWas = last == i - 1 && !isMoved[last] && !isMoved[i];
                result.Append(gap.IsEmpty && !isAsItWas && WordSplitter.RunTogether(pieces[last]!.Value.Span, piece.Span) ? " " : gap);
            }

            result.Append(piece.Span);
            last = i;
        }

        return result.Append(span[words[^1].End..]).ToString();
    }

    private static Occurrences<string> WordsOf(IEnumerable<ReadOnlyMemory<char>> texts)
    {
        var counts = new Dictionary<string, long>();
        var byText = counts.GetAlternateLookup<ReadOnlySpan<char>>();
        var words = new List<Range>();
        foreach (var text in texts)
        {
            words.Clear();
            WordSplitter.Split(text.Span, words, int.MaxValue);
            foreach (var word in words)
            {
                var characters = text.Span[word];
                if (byText.TryGetValue(characters, out var count))
                    byText[characters] = count + 1;
                else if (counts.Count < MaximumWords)
                    byText[characters] = 1;
            }
        }

        return new Occurrences<string>(counts, StringComparer.Ordinal);
    }
}
