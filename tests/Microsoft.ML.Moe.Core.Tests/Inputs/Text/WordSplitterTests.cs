using Microsoft.ML.Moe.Inputs;

namespace Microsoft.ML.Moe.Tests.Inputs;

public class WordSplitterTests
{
    [Theory]
    [InlineData("", "")]
    [InlineData(" \t\n ", "")]
    [InlineData("play some jazz", "play|some|jazz")]
    [InlineData("what's 3,5 + x?", "what|'|s|3|,|5|+|x|?")]
    [InlineData("Über naïve café", "Über|naïve|café")]
    [InlineData("東京へ行く", "東|京|へ|行|く")]
    [InlineData("안녕하세요 세계", "안녕하세요|세계")]
    [InlineData("a👍b", "a|👍|b")]
    [InlineData("zero\u200Bwidth", "zero|width")]
    public void SplitsWordsAndSymbols(string text, string expected)
    {
        var words = new List<Range>();

        var count = WordSplitter.Split(text, words, int.MaxValue);

        Assert.Equal(expected, string.Join('|', words.Select(w => text[w])));
        Assert.Equal(words.Count, count);
    }

    [Fact]
    public void CountsBeyondTheLimit()
    {
        var words = new List<Range>();

        Assert.Equal(4, WordSplitter.Split("a b c d", words, 2));

        Assert.Equal(2, words.Count);
    }

    [Fact]
    public void SplitsAnEndlessWordAndLoneSurrogates()
    {
        var words = new List<Range>();
        var text = new string('x', 1_000_000) + "\uD800" + "y";

        WordSplitter.Split(text, words, int.MaxValue);

        Assert.All(words, w => Assert.InRange(w.GetOffsetAndLength(text.Length).Length, 1, 64));
        Assert.Equal(1_000_001, words.Sum(w => text[w].Count(c => c is 'x' or 'y')));
    }
}
