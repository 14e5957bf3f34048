using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.LinearModels;

namespace Microsoft.ML.Moe.Tests.Inputs;

public class TextInputTests
{
    private static readonly TextInput Input = TextInput.Create(new() { MaximumTokens = 8, Linear = LinearInput.Words });

    [Fact]
    public void BeginsWithAStartTokenAndKeepsOrder()
    {
        var pair = Input.Encode("red fish", "blue");

        Assert.Equal(5, pair.Length);
        Assert.Equal(3, pair.SecondStart);
        Assert.Equal([0], pair.Tokens[0].Rows);
        Assert.Equal([1], pair.Tokens[3].Rows);
        Assert.Same(Input.Encode("fish").Tokens[1], pair.Tokens[2]);
    }

    [Fact]
    public void EmptyTextIsOnlyTheStartToken()
    {
        var empty = Input.Encode("");

        Assert.Equal(1, empty.Length);
        Assert.Equal(0, empty.TokensCutOff);
    }

    [Theory]
    [InlineData(20, 0, 7, 0)]
    [InlineData(20, 2, 4, 2)]
    [InlineData(2, 20, 2, 4)]
    [InlineData(20, 20, 3, 3)]
    [InlineData(1, 1, 1, 1)]
    public void CutsTheLongerTextFirstAndCounts(int first, int second, int keptFirst, int keptSecond)
    {
        var isPair = second > 0;

        var encoded = Input.Encode(Words(first), isPair ? Words(second) : null);

        Assert.Equal(1 + keptFirst + (isPair ? 1 + keptSecond : 0), encoded.Length);
        Assert.Equal(first + second - keptFirst - keptSecond, encoded.TokensCutOff);
        Assert.Equal(1 + keptFirst, encoded.SecondStart);
        static string Words(int count) => string.Join(' ', Enumerable.Range(0, count).Select(i => $"w{i}"));
    }

    [Fact]
    public void AWordIsItselfAndItsGrams()
    {
        // <cat> has the 3-grams <ca cat at>, the 4-grams <cat cat>, the 5-gram <cat>
        Assert.Equal(1 + 3 + 2 + 1, Input.Encode("cat").Tokens[1].Rows.Length);
        // <cats> shares <ca cat <cat with <cat>, up to collisions
        var shared = Input.Encode("cat").Tokens[1].Rows.Intersect(Input.Encode("cats").Tokens[1].Rows).Count();
        Assert.InRange(shared, 3, 4);
    }

    [Fact]
    public void LowercaseIsAnOption()
    {
        var cased = TextInput.Create(new() { Lowercase = false, MaximumTokens = 8, Linear = LinearInput.Words });

        Assert.Equal(Input.Encode("Cat").Tokens[1].Rows, Input.Encode("cAT").Tokens[1].Rows);
        Assert.NotEqual(cased.Encode("Cat").Tokens[1].Rows, cased.Encode("cat").Tokens[1].Rows);
        Assert.NotEqual(Words(cased.Encode("Cat")), Words(cased.Encode("cat")));
    }

    [Fact]
    public void HashesNeverChange()
    {
        // Models on disk depend on these numbers; they were computed by a program of its own.
        Assert.Equal([34024, 51958, 63258, 25174, 41370, 37184, 4521], Input.Encode("cat").Tokens[1].Rows);
        // of the words' hashes those models kept 31 bits
        Assert.Equal([477601883, 1153893377, 1588343602, 1908768165], Words(Input.Encode("a b")).Select(id => (int)(id >> (LinearRow.HashBits - 31))));
    }

    [Fact]
    public void WhatALinearBranchReadsIsASet()
    {
        Assert.Equal(Words(Input.Encode("a b a b")), Words(Input.Encode("a b a b a b")));
        Assert.Empty(Words(Input.Encode("a")).Intersect(Words(Input.Encode("", "a"))));
        Assert.Equal(Words(Input.Encode("a b c")).Order(), Words(Input.Encode("a b c")));
    }

    [Fact]
    public void WhatALinearBranchReadsIsNotCutOff()
    {
        var text = Input.Encode("one two three four five six seven eight nine ten");

        Assert.Equal(3, text.TokensCutOff);
        Assert.Equal(10 + 10, Words(text).Length);
    }

    [Fact]
    public void ATextIsReadOnceMoreByAnInputThatIsSettled()
    {
        var open = TextInput.Create(new() { Linear = LinearInput.Undecided });
        var settled = TextInput.Create(new() { MaximumTokens = 8, Linear = LinearInput.WordsAndCharacters });
        const string text = "one two three four five six seven eight nine ten";

        var read = settled.Read(open.Encode(text));

        Assert.Equal((8, 3), (read.Length, read.TokensCutOff));
        Assert.Equal(settled.Encode(text).Linear!.Blocks, read.Linear!.Blocks);
        Assert.Null(read.Source);
    }

    [Theory]
    [InlineData(20, 128)]
    [InlineData(300, 300)]
    [InlineData(2000, 512)]
    public void TheLengthFollowsTheTexts(int longest, int expected)
    {
        var config = new TextInputConfig();
        // 5 % are longer, which does not count
        var lengths = Enumerable.Repeat(longest, 96).Concat(Enumerable.Repeat(512, 4)).Select(n => Math.Min(n, 512));

        Assert.Equal(expected, config.LengthFor(lengths));
        Assert.Equal(40, (config with { MaximumTokens = 40 }).LengthFor([1, 2]));
    }

    [Fact]
    public void SubwordsAreOneRowEach()
    {
        var input = TableTextInput.Create(new() { MaximumTokens = 8 }, new LetterTokenizer());

        var encoded = input.Encode("AbC");

        Assert.Equal([0, 3, 4, 5], encoded.Tokens.Select(t => Assert.Single(t.Rows)));
        Assert.Equal(3 + 26, input.TableRows);
    }

    [Fact]
    public void AnIdBeyondTheVocabularyIsAnError()
    {
        var input = TextInput.Create(new() { MaximumTokens = 8 }, new LetterTokenizer());

        var error = Assert.Throws<InvalidOperationException>(() => input.Encode("é"));

        Assert.Contains("vocabulary", error.Message, StringComparison.Ordinal);
    }

    private sealed class LetterTokenizer : ISubwordTokenizer
    {
        public int VocabularySize => 26;

        public IReadOnlyList<int> Encode(string text) => [.. text.Select(c => c - 'a')];
    }

    /// <summary>Hashes of the words and pairs of neighbouring words that a linear branch reads.</summary>
    private static ulong[] Words(EncodedText text) => text.Linear!.Blocks[0];
}
