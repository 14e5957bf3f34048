using Microsoft.ML.Moe.Inputs;

namespace Microsoft.ML.Moe.Tests.Inputs;

/// <summary>Words dropped, replaced and swapped.</summary>
public sealed class TextCorrupterTests
{
    private static readonly string[] Table = ["alpha beta gamma", "delta beta beta", "epsilon"];

    [Theory]
    [InlineData(10, 0.2, 0.3, 0.4, 2, 3, 2)]
    [InlineData(20, 0.5, 0.25, 0.1, 10, 5, 1)]
    [InlineData(4, 0, 0, 1, 0, 0, 2)]
    [InlineData(6, 0, 1, 0, 0, 6, 0)]
    public void SharesThatGiveWholeNumbersAreMetExactly(
        int words, double drop, double replace, double swap, int dropped, int replaced, int swaps)
    {
        var settings = new TextCorruption { DropShare = drop, ReplaceShare = replace, SwapShare = swap, Replacement = "new" };
        var text = Numbered(words);
        for (var row = 0; row < 200; row++)
        {
            var result = Words(Corrupt(settings, text, row));
            Assert.Equal(words - dropped, result.Length);
            Assert.Equal(replaced, result.Count(word => word == "new"));
            // of words left, those that stand before a smaller one: each swap makes one
            int[] left = [.. result.Where(word => word != "new").Select(word => int.Parse(word[1..]))];
            Assert.Equal(swaps, left.Zip(left.Skip(1)).Count(pair => pair.First > pair.Second));
        }
    }

    [Theory]
    [InlineData(7, 0.1)]
    [InlineData(3, 0.5)]
    [InlineData(2, 0.25)]
    public void OtherSharesAreMetOnAverageByTheTwoNearestNumbers(int words, double share)
    {
        const int rows = 4000;
        var settings = new TextCorruption { ReplaceShare = share, Replacement = "new" };
        int[] counts = [.. Enumerable.Range(0, rows).Select(row => Words(Corrupt(settings, Numbered(words), row)).Count(w => w == "new"))];
        Assert.All(counts, count => Assert.True(count == Math.Floor(words * share) || count == Math.Ceiling(words * share)));
        Assert.Equal(words * share, counts.Average(), 0.04);
    }

    [Fact]
    public void EveryWordAndEveryPairIsAsLikelyAsAnyOther()
    {
        const int words = 5;
        const int rows = 20000;
        var text = Numbered(words);
        var (dropped, swapped) = (new int[words], new int[words - 1]);
        for (var row = 0; row < rows; row++)
        {
            var left = Words(Corrupt(new TextCorruption { DropShare = 0.4 }, text, row));
            for (var i = 0; i < words; i++)
                dropped[i] += left.Contains($"w{i}") ? 0 : 1;
            var moved = Words(Corrupt(new TextCorruption { SwapShare = 0.4 }, text, row));
            for (var i = 0; i < words - 1; i++)
                swapped[i] += moved[i] == $"w{i + 1}" && moved[i + 1] == $"w{i}" ? 1 : 0;
        }

        Assert.All(dropped, count => Assert.Equal(0.4, (double)count / rows, 0.02));
        Assert.All(swapped, count => Assert.Equal(0.25, (double)count / rows, 0.02));
    }

    [Fact]
    public void TheSameSeedAndRowGiveTheSameTextAndOthersAnother()
    {
        var settings = new TextCorruption { DropShare = 0.3, SwapShare = 0.4, ReplaceShare = 0.2, Seed = 5 };
        var text = Numbered(30);
        Assert.Equal(Corrupt(settings, text, 3), Corrupt(settings, text, 3));
        Assert.NotEqual(Corrupt(settings, text, 3), Corrupt(settings, text, 4));
        Assert.NotEqual(Corrupt(settings, text, 3), Corrupt(settings with { Seed = 6 }, text, 3));
    }

    [Fact]
    public void RowsOfASmallerShareAreAmongThoseOfALarger()
    {
        bool[] Changed(double share) => [.. Enumerable.Range(0, 3000).Select(row =>
        {
            var settings = new TextCorruption { DropShare = 0.5, RowShare = share };
            new TextCorrupter(settings, NoTexts).Corrupt(Numbered(4).AsMemory(), row, out var isChanged);
            return isChanged;
        })];

        var (few, many) = (Changed(0.2), Changed(0.6));
        Assert.Equal(0.2, few.Average(changed => changed ? 1.0 : 0), 0.03);
        Assert.Equal(0.6, many.Average(changed => changed ? 1.0 : 0), 0.03);
        Assert.All(few.Zip(many), pair => Assert.True(!pair.First || pair.Second));
        Assert.DoesNotContain(true, Changed(0));
        Assert.DoesNotContain(false, Changed(1));
    }

    [Fact]
    public void WordsOfTheTableReplaceOthersAndNeverThemselves()
    {
        var settings = new TextCorruption { ReplaceShare = 1 };
        string[] known = ["alpha", "beta", "gamma", "delta", "epsilon"];
        var counts = new Dictionary<string, int>();
        for (var row = 0; row < 4000; row++)
        {
            var word = Corrupt(settings, "beta", row);
            Assert.Contains(word, known);
            Assert.NotEqual("beta", word);
            counts[word] = counts.GetValueOrDefault(word) + 1;
        }

        Assert.All(counts.Values, count => Assert.Equal(0.25, count / 4000.0, 0.03));
        // a word that the table does not have can become any
        Assert.Equal(5, Enumerable.Range(0, 300).Select(row => Corrupt(settings, "unknown", row)).Distinct().Count());
    }

    [Fact]
    public void DrawnByFrequencyWordsComeAsOftenAsTheyOccur()
    {
        var settings = new TextCorruption { ReplaceShare = 1, ReplacementDraw = CorruptionDraw.ByFrequency };
        var words = Enumerable.Range(0, 6000).Select(row => Corrupt(settings, "delta", row)).ToList();
        // beta is 3 of the 6 occurrences that are not delta
        Assert.Equal(0.5, words.Count(word => word == "beta") / 6000.0, 0.03);
        Assert.Equal(1 / 6.0, words.Count(word => word == "epsilon") / 6000.0, 0.03);
        Assert.DoesNotContain("delta", words);
    }

    [Fact]
    public void WhatStandsBetweenWordsStays()
    {
        const string text = "  Hello, wörld!\n\t日本 end ";
        Assert.Equal("  x x x x\n\tx x x ", Corrupt(new TextCorruption { ReplaceShare = 1, Replacement = "x" }, text, 0));
        Assert.Equal("  ?? ??\n\t?? ? ", Corrupt(new TextCorruption { ReplaceShare = 1, Replacement = "?" }, text, 0));
    }

    [Theory]
    [InlineData("one, two")]
    [InlineData("a-b c")]
    [InlineData("x.y.z")]
    public void WordsThatComeTogetherStayApart(string text)
    {
        var words = Words(text).Length;
        for (var row = 0; row < 50; row++)
        {
            var all = new TextCorruption { DropShare = 1.0 / words, SwapShare = 1 - 1.0 / words };
            Assert.Equal(words - 1, Words(Corrupt(all, text, row)).Length);
            var replaced = new TextCorruption { ReplaceShare = 0.5, Replacement = "word" };
            Assert.Equal(words, Words(Corrupt(replaced, text, row)).Length);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData(" \n ")]
    [InlineData("one")]
    public void ATextKeepsItsLastWord(string text)
    {
        var result = new TextCorrupter(new TextCorruption { DropShare = 1 }, NoTexts).Corrupt(text.AsMemory(), 1, out var isChanged);
        Assert.False(isChanged);
        Assert.Equal(text, result.ToString());
        Assert.Single(Words(Corrupt(new TextCorruption { DropShare = 1 }, Numbered(9), 1)));
    }

    [Fact]
    public void ATextThatComesOutAsItWasIsNotChanged()
    {
        var corrupter = new TextCorrupter(new TextCorruption { SwapShare = 1 }, NoTexts);
        Assert.Equal("same same", corrupter.Corrupt("same same".AsMemory(), 0, out var isChanged).ToString());
        Assert.False(isChanged);
    }

    [Fact]
    public void ImpossibleSettingsAreRefused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new TextCorruption { DropShare = -0.1 });
        Assert.Throws<ArgumentOutOfRangeException>(() => new TextCorruption { ReplaceShare = 1.1 });
        Assert.Throws<ArgumentOutOfRangeException>(() => new TextCorruption { SwapShare = double.NaN });
        Assert.Throws<ArgumentOutOfRangeException>(() => new TextCorruption { RowShare = 2 });
        Assert.Throws<ArgumentException>(() => new TextCorruption { Replacement = "" });
        Assert.Throws<ArgumentOutOfRangeException>(() => new TextCorruption { ReplacementDraw = (CorruptionDraw)7 });
        new TextCorruption { DropShare = 0.1, ReplaceShare = 0.2, SwapShare = 0.7 }.Validate();
        var error = Assert.Throws<ArgumentException>(() => new TextCorruption { DropShare = 0.5, ReplaceShare = 0.6 }.Validate());
        Assert.Contains("DropShare", error.Message, StringComparison.Ordinal);
    }

    private static string Corrupt(TextCorruption settings, string text, long row) =>
        new TextCorrupter(settings, () => Table.Select(t => t.AsMemory())).Corrupt(text.AsMemory(), row, out _).ToString();

    private static IEnumerable<ReadOnlyMemory<char>> NoTexts() => throw new InvalidOperationException("No words of the table are needed.");

    private static string Numbered(int words) => string.Join(' ', Enumerable.Range(0, words).Select(i => $"w{i}"));

    private static string[] Words(string text)
    {
        var words = new List<Range>();
        WordSplitter.Split(text, words, int.MaxValue);
        return [.. words.Select(word => text[word])];
    }
}
