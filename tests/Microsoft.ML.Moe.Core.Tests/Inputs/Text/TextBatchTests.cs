using Microsoft.ML.Moe.Inputs;

namespace Microsoft.ML.Moe.Tests.Inputs;

public class TextBatchTests
{
    private static readonly TextInput Input = TextInput.Create(new() { MaximumTokens = 8 });

    [Fact]
    public void WithoutPaddingEveryTokenStandsOnce()
    {
        var batch = Pack([Input.Encode("red fish"), Input.Encode("blue")]);

        Assert.Equal([0, 3, 5], batch.Layout.Offsets);
        Assert.True(batch.Layout.Mask.IsEmpty);
        Assert.Equal([0, 1, 2, 0, 1], batch.Positions);
    }

    [Fact]
    public void PaddingFillsEachRowToTheLongestWithTokensOfNoFeatures()
    {
        var batch = Pack([Input.Encode("blue"), Input.Encode("red fish", "two")], padToLongest: true);

        Assert.Equal([0, 5, 10], batch.Layout.Offsets);
        Assert.Equal([true, true, false, false, false, true, true, true, true, true], batch.Layout.Mask.ToArray());
        Assert.Equal([0, 1, 2, 3, 4, 0, 1, 2, 3, 4], batch.Positions);
        Assert.Equal(10, batch.Tokens.Count);
        for (var token = 0; token < 10; token++)
            Assert.Equal(batch.Layout.IsToken(token), batch.Tokens.Offsets[token + 1] > batch.Tokens.Offsets[token]);
    }

    [Fact]
    public void PaddingIsNoSecondText()
    {
        Assert.False(Pack([Input.Encode("blue"), Input.Encode("red fish")], padToLongest: true).HasSegments);
        Assert.Equal(
            [0, 0, 1, 1, 0, /**/ 0, 0, 0, 0, 0],
            Pack([Input.Encode("blue", "fish"), Input.Encode("one two three four")], padToLongest: true).Segments);
    }

    [Fact]
    public void RowsOfOneLengthNeedNoPadding()
    {
        var batch = Pack([Input.Encode("blue"), Input.Encode("red")], padToLongest: true);

        Assert.Equal([0, 2, 4], batch.Layout.Offsets);
        Assert.True(batch.Layout.Mask.IsEmpty);
    }

    [Fact]
    public void NoRowsMakeAnEmptyBatch() => Assert.Equal(0, Pack([], padToLongest: true).Layout.Tokens);

    private static TextBatch Pack(EncodedText[] texts, bool padToLongest = false) =>
        new TextBatchPacker(new Packing(padToLongest, KeepsLayouts: false)).Pack(texts);
}
