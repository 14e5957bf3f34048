using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tests.Routing.Reports;

public class FrequentTextsTests
{
    [Fact]
    public void Counts_are_exact_while_there_is_room()
    {
        var texts = new FrequentTexts(4);
        foreach (var text in "abracadabra".Where(c => c != 'c'))
            texts.Add(text.ToString());

        Assert.Equal([("a", 5), ("b", 2), ("r", 2), ("d", 1)], texts.Largest(10));
        Assert.Equal([("a", 5), ("b", 2)], texts.Largest(2));
        Assert.Empty(texts.Largest(0));
    }

    [Fact]
    public void Beyond_that_memory_is_bounded_and_frequent_texts_keep_nearly_their_count()
    {
        const int capacity = 64, number = 20_000;
        var texts = new FrequentTexts(capacity);
        for (var i = 0; i < number; i++)
        {
            texts.Add(i % 4 == 0 ? "often" : $"rare {i}");
            Assert.InRange(texts.Held, 1, capacity);
        }

        var (text, count) = texts.Largest(1).Single();
        Assert.Equal("often", text);
        Assert.InRange(count, number / 4 - 2 * number / capacity, number / 4);
    }
}
