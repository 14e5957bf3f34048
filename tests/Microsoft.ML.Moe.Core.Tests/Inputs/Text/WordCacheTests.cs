using System.Text.Json;
using Microsoft.ML.Moe.Inputs;

namespace Microsoft.ML.Moe.Tests.Inputs;

/// <summary>Memory for words that were read before is bounded, and changes nothing of what is read.</summary>
public sealed class WordCacheTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(16)]
    public void WordsTakeNoMoreThanWasAskedFor(int mebibytes)
    {
        var input = new HashedWordInput(new TextInputConfig { HashBits = 10, WordCacheMebibytes = mebibytes });
        Read(input, 60_000);

        Assert.InRange(input.RememberedBytes, 0, (long)mebibytes << 20);
        Assert.True(mebibytes == 0 || input.RememberedBytes > 1 << 19);
    }

    [Fact]
    public void WhatIsReadIsTheSameWithoutMemory()
    {
        var (with, without) = (Input(16), Input(0));
        foreach (var text in new[] { "rain and rain and sun", "word1 word1", "" })
            Assert.Equal(
                with.Encode(text).Tokens.Select(token => (token.Text, string.Join(' ', token.Rows))),
                without.Encode(text).Tokens.Select(token => (token.Text, string.Join(' ', token.Rows))));

        static TextInput Input(int mebibytes) => TextInput.Create(new TextInputConfig { HashBits = 10, WordCacheMebibytes = mebibytes });
    }

    [Fact]
    public void WhileLearningMoreIsRememberedAndNothingOfItAfterwards()
    {
        var input = new HashedWordInput(new TextInputConfig { HashBits = 10, WordCacheMebibytes = 1 });
        input.BeginLearning();
        Read(input, 20_000);
        Assert.InRange(input.RememberedBytes, 2L << 20, 128L << 20);

        input.EndLearning();
        Assert.Equal(0, input.RememberedBytes);
        Read(input, 20_000);
        Assert.InRange(input.RememberedBytes, 1, 1L << 20);
    }

    [Fact]
    public void FilesHaveItOnlyWhereItIsNotTheDefault()
    {
        Assert.DoesNotContain("ordCache", JsonSerializer.Serialize(new TextInputConfig()), StringComparison.Ordinal);
        var json = JsonSerializer.Serialize(new TextInputConfig { WordCacheMebibytes = 3 });
        Assert.Equal(3, JsonSerializer.Deserialize<TextInputConfig>(json)!.WordCacheMebibytes);
        Assert.Throws<ArgumentOutOfRangeException>(() => new TextInputConfig { WordCacheMebibytes = 1025 });
    }

    private static void Read(TextInput input, int words)
    {
        for (var first = 0; first < words; first += 100)
            input.Encode(string.Join(' ', Enumerable.Range(first, 100).Select(i => $"word{i}")));
    }
}
