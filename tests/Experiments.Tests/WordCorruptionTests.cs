using Microsoft.ML.Moe.Experiments.Data;

namespace Microsoft.ML.Moe.Experiments.Tests;

public class WordCorruptionTests
{
    private static readonly Sentence[] Rows = [.. Enumerable.Range(0, 2000).Select(i => new Sentence("a", Words(i, 1 + i % 9)))];

    [Fact]
    public void A_fifth_of_the_words_is_replaced_on_average_and_a_row_never_differs_by_more_than_a_word()
    {
        var (words, replaced) = (0, 0);
        foreach (var (before, after) in Rows.Zip(WordCorruption.Of(Rows, seed: 1)))
        {
            var (old, changed) = (before.Text.Split(' '), after.Text.Split(' '));
            Assert.Equal(old.Length, changed.Length);
            Assert.All(old.Zip(changed), pair => Assert.True(pair.Second == pair.First || pair.Second == "AAA"));
            var count = changed.Count(word => word == "AAA");
            Assert.InRange(count, Math.Floor(old.Length * 0.2), Math.Ceiling(old.Length * 0.2));
            (words, replaced) = (words + old.Length, replaced + count);
        }

        Assert.InRange((double)replaced / words, 0.19, 0.21);
    }

    [Fact]
    public void The_same_seed_gives_the_same_rows_and_another_seed_others()
    {
        Assert.Equal(WordCorruption.Of(Rows, 1), WordCorruption.Of(Rows, 1));
        Assert.NotEqual(WordCorruption.Of(Rows, 1), WordCorruption.Of(Rows, 2));
    }

    [Fact]
    public void Every_place_in_a_row_is_hit()
    {
        Sentence[] rows = [.. Enumerable.Repeat(new Sentence("a", "one two three"), 200)];
        var corrupted = WordCorruption.Of(rows, 1);
        for (var place = 0; place < 3; place++)
            Assert.Contains(corrupted, row => row.Text.Split(' ')[place] == "AAA");
    }

    private static string Words(int first, int count) => string.Join(' ', Enumerable.Range(first, count).Select(n => $"w{n}"));

    [Fact]
    public void A_row_without_words_stays_empty() =>
        Assert.Equal("", Assert.Single(WordCorruption.Of([new Sentence("a", "  ")], 1)).Text);
}
