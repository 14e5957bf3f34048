using Microsoft.ML.Moe.Text;

namespace Microsoft.ML.Moe.Tests.Text;

public class TextBatchTests
{
    private static readonly HashedWordInput Input = new(lowercase: true, maximumTokens: 8, hashBits: 16);

    [Fact]
    public void WithoutPaddingEveryTokenStandsOnce()
    {
        var batch = TextBatch.Pack([Input.Encode("red fish"), Input.Encode("blue")], wideBits: 0);

        Assert.Equal([0, 3, 5], batch.Layout.Offsets);
        Assert.True(batch.Layout.Mask.IsEmpty);
        Assert.Equal([0, 1, 2, 0, 1], batch.Positions);
    }

    [Fact]
    public void PaddingFillsEachRowToTheLongestWithTokensOfNoFeatures()
    {
        var batch = TextBatch.Pack([Input.Encode("blue"), Input.Encode("red fish", "two")], wideBits: 10, padToLongest: true);

        Assert.Equal([0, 5, 10], batch.Layout.Offsets);
        Assert.Equal([true, true, false, false, false, true, true, true, true, true], batch.Layout.Mask.ToArray());
        Assert.Equal([0, 1, 2, 3, 4, 0, 1, 2, 3, 4], batch.Positions);
        Assert.Equal(10, batch.Tokens.Count);
        for (var token = 0; token < 10; token++)
            Assert.Equal(batch.Layout.IsToken(token), batch.Tokens.Offsets[token + 1] > batch.Tokens.Offsets[token]);
        Assert.Equal(2, batch.Wide!.Count);
    }

    [Fact]
    public void PaddingIsNoSecondText()
    {
        Assert.False(TextBatch.Pack([Input.Encode("blue"), Input.Encode("red fish")], 0, padToLongest: true).HasSegments);
        Assert.Equal(
            [0, 0, 1, 1, 0, /**/ 0, 0, 0, 0, 0],
            TextBatch.Pack([Input.Encode("blue", "fish"), Input.Encode("one two three four")], 0, padToLongest: true).Segments);
    }

    [Fact]
    public void RowsOfOneLengthNeedNoPadding()
    {
        var batch = TextBatch.Pack([Input.Encode("blue"), Input.Encode("red")], 0, padToLongest: true);

        Assert.Equal([0, 2, 4], batch.Layout.Offsets);
        Assert.True(batch.Layout.Mask.IsEmpty);
    }

    [Fact]
    public void NoRowsMakeAnEmptyBatch() => Assert.Equal(0, TextBatch.Pack([], 0, padToLongest: true).Layout.Tokens);
}
