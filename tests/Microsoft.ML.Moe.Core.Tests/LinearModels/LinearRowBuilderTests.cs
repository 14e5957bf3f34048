using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Inputs;
using Xunit;

namespace Microsoft.ML.Moe.Tests.LinearModels;

public class LinearRowBuilderTests
{
    [Fact]
    public void AText_HasItsWordsAndPairsOfNeighbours_EachOnce()
    {
        // a, b, and start-a, a-b, b-a: the second a is no new word
        var row = Rows.Of("a b a");
        Assert.Equal(5, Assert.Single(row.Blocks).Length);
        Assert.Equal(row.Blocks[0].Distinct().Order(), row.Blocks[0]);
        Assert.Empty(row.Counts);
    }

    [Fact]
    public void LeadingBits_AreTheHashesOfModelsSavedBefore()
    {
        // of a word 11 and of a pair 12, and 256 more in a second text, is mixed into the hash, of which 31 bits count
        var (start, a, no) = (StableHash.Of("", 11), StableHash.Of("a", 11), StableHash.Of("no", 11));
        ulong[] before =
        [
            StableHash.Combine(a, 11), StableHash.Combine(StableHash.Combine(start, a), 12),
            StableHash.Combine(no, 256 + 11), StableHash.Combine(StableHash.Combine(start, no), 256 + 12),
        ];

        Assert.Equal(
            before.Select(hash => (int)(hash >> 33)).Order(),
            Rows.Of("a", "no").Blocks[0].Select(id => (int)(id >> (LinearRow.HashBits - 31))));
    }

    [Fact]
    public void Grams_AreThoseOfThreeToFiveCharactersBetweenMarks()
    {
        // <abc>: <ab abc bc> <abc abc> <abc>
        Assert.Equal(6, Rows.Of("abc", grams: true).Blocks[1].Length);
        // a word of one letter is one 3-gram
        Assert.Single(Rows.Of("a", grams: true).Blocks[1]);
        // the same word twice says nothing more
        Assert.Equal(6, Rows.Of("abc abc", grams: true).Blocks[1].Length);
    }

    [Fact]
    public void SignsWithoutSpaces_GiveGramsAcrossTheSigns() =>
        Assert.Equal(Rows.Of("abcd", grams: true).Blocks[1].Length, Rows.Of("一二三四", grams: true).Blocks[1].Length);

    [Fact]
    public void TextsOfAPair_AreKeptApart_AndWhatTheyShareIsAdded()
    {
        var pair = Rows.Of("red house", "red car");
        Assert.Equal(3, pair.Blocks.Length);
        Assert.Equal(8, pair.Blocks[0].Length);
        // shared red, only in the first house, only in the second car
        Assert.Equal(3, pair.Blocks[2].Length);
        Assert.Equal(PairCounts.Number, pair.Counts.Length);
        Assert.NotEqual(pair.Blocks[2], Rows.Of("red car", "red house").Blocks[2]);
        Assert.Single(Rows.Of("red house", "red house").Blocks[2].Except(pair.Blocks[2]));
    }

    [Fact]
    public void ALongText_IsCutOff_AndCostsNoMore()
    {
        var words = string.Join(' ', Enumerable.Range(0, LinearRowBuilder.MaximumWords).Select(i => "w" + i));
        var row = Rows.Of(words, grams: true);
        var longer = Rows.Of(words + " and more of it", grams: true);
        Assert.Equal(row.Blocks[0], longer.Blocks[0]);
        Assert.Equal(row.Blocks[1], longer.Blocks[1]);
        var hostile = Rows.Of(new string('x', 1_000_000), grams: true);
        Assert.InRange(hostile.Blocks[1].Length, 1, 3 * LinearRowBuilder.MaximumGramCharacters);
    }

    [Fact]
    public void ABuilder_IsGoodForOneRowAfterTheOther()
    {
        var builder = new LinearRowBuilder(true);
        builder.Build("one text", Rows.Words("one text"));
        var again = builder.Build("another", Rows.Words("another"), "pair", Rows.Words("pair"));
        Assert.Equal(Rows.Of("another", "pair", grams: true).Blocks, again.Blocks);
    }

    [Fact]
    public void AnEmptyText_HasNoFeatures() => Assert.Empty(Rows.Of("", grams: true).Blocks.SelectMany(block => block));
}
