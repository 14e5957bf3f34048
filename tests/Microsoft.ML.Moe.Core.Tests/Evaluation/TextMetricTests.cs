using Microsoft.ML.Moe.Evaluation;

namespace Microsoft.ML.Moe.Tests.Evaluation;

public class TextMetricTests
{
    [Theory]
    [InlineData("a\u0301b the b", "\u0301b b")] // a combining mark is no part of a word
    [InlineData("x\u001cthe\u001cy", "x y")]
    [InlineData("ΟΔΟΣ ΣΑΣ Σ", "οδος σας σ")]
    [InlineData("ΟΔΟΣ.", "οδος")]
    [InlineData("İb", "i̇b")]
    [InlineData("A_the_B", "atheb")]
    [InlineData("", "")]
    public void AnswersAreNormalisedAsPythonDoes(string text, string expected) => Assert.Equal(expected, AnswerMatch.Normalise(text));

    [Fact]
    public void AnAnswerIsNeeded() => Assert.Throws<ArgumentException>(() => AnswerMatch.Best("a", []));

    [Theory]
    [InlineData("1__0")]
    [InlineData("_1")]
    [InlineData("1_")]
    [InlineData("1_.5")]
    [InlineData("1,000")]
    [InlineData("(1)")]
    [InlineData("+-1")]
    [InlineData("+")]
    [InlineData(".")]
    [InlineData("e5")]
    [InlineData("1e")]
    [InlineData("∞")]
    [InlineData("infin")]
    [InlineData("1 0")]
    public void TextsThatPythonReadsNoNumberFromAreNone(string text) => Assert.Equal(SimilarityText.NotANumber, SimilarityText.Read(text));

    [Theory]
    [InlineData("+infinity", double.PositiveInfinity)]
    [InlineData("-INF", double.NegativeInfinity)]
    [InlineData("-NaN", double.NaN)]
    [InlineData("1e-3", 0.001)]
    [InlineData("1_000.5", 1000.5)]
    [InlineData("\u00a0٣.٥\u001f", 3.5)]
    [InlineData("1e999", double.PositiveInfinity)]
    public void TextsThatPythonReadsAreNumbers(string text, double expected) => Assert.Equal(expected, SimilarityText.Read(text));

    [Fact]
    public void RougeOfNothingIsZero()
    {
        foreach (var name in new[] { "rouge1", "rouge2", "rougeL", "rougeLsum" })
        {
            Assert.Equal(0, new Rouge().Score(name, "", "a b").F1);
            Assert.Equal(0, new Rouge().Score(name, "a b", "\n\n").F1);
        }

        Assert.Throws<ArgumentException>(() => new Rouge().Score("rouge0", "a", "a"));
        Assert.Throws<ArgumentException>(() => new Rouge().Score("rougeX", "a", "a"));
    }

    [Fact]
    public void LongestCommonSubsequenceIsThatOfAllSubsequences()
    {
        var random = new Random(1);
        for (var trial = 0; trial < 50; trial++)
        {
            var (a, b) = (Words(random), Words(random));
            var longest = Enumerable.Range(0, 1 << a.Length)
                .Select(mask => a.Where((_, i) => (mask >> i & 1) == 1).ToList())
                .Where(part => IsSubsequence(part, b))
                .Max(part => part.Count);

            Assert.Equal(
                (double)longest / a.Length,
                new Rouge().LongestCommonSubsequence(string.Join(' ', a), string.Join(' ', b)).Recall);
        }
    }

    [Fact]
    public void SummariesOfOneLineScoreAsWholeTexts()
    {
        var random = new Random(2);
        for (var trial = 0; trial < 50; trial++)
        {
            var (a, b) = (string.Join(' ', Words(random)), string.Join(' ', Words(random)));
            Assert.Equal(new Rouge().LongestCommonSubsequence(a, b), new Rouge().SummaryLongestCommonSubsequence(a, b));
        }
    }

    private static string[] Words(Random random) =>
        [.. Enumerable.Range(0, random.Next(1, 9)).Select(_ => "abc"[random.Next(3)].ToString())];

    private static bool IsSubsequence(List<string> part, string[] whole)
    {
        var found = 0;
        foreach (var word in whole)
            found += found < part.Count && part[found] == word ? 1 : 0;
        return found == part.Count;
    }
}
