using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace Microsoft.ML.Moe.Tests.Inputs;

/// <summary>Rows that become two sequences: both ends of a text, or the texts of a pair.</summary>
public class TextWindowsTests
{
    private static readonly PublishedTextInputConfig Config = new() { MaximumTokens = 6, VocabularySize = 31, PaddingId = 1 };
    private static readonly PublishedTextInput BothEnds = new(Config with { Windows = TextWindows.BothEnds }, new LetterIds());
    private static readonly PublishedTextInput Apart = new(Config with { Windows = TextWindows.Apart }, new LetterIds());

    [Theory]
    [InlineData("abc", "abc", "abc", 0)]
    [InlineData("abcd", "abcd", "abcd", 0)]
    [InlineData("abcdef", "abcd", "cdef", 0)]
    [InlineData("abcdefgh", "abcd", "efgh", 0)]
    [InlineData("abcdefghijkl", "abcd", "ijkl", 4)]
    [InlineData("", "", "", 0)]
    public void BothEndsOfATextAreRead(string text, string start, string end, int cutOff)
    {
        var encoded = BothEnds.Encode(text);

        Assert.Equal([2, .. Ids(start), 3, 2, .. Ids(end), 3], encoded.Ids!.Ids);
        Assert.Equal(start.Length + 2, encoded.Ids.SecondWindow);
        Assert.Equal((cutOff, text.Length == 0, false), (encoded.TokensCutOff, encoded.IsEmpty, encoded.IsPair));
        Assert.Null(encoded.Ids.Types);
    }

    [Theory]
    [InlineData("abc", "de", "abc", "de", 0)]
    [InlineData("abcdef", "g", "abcd", "g", 2)]
    [InlineData("abcdef", "ghijkl", "abcd", "ghij", 4)]
    [InlineData("", "abc", "", "abc", 0)]
    [InlineData("", "", "", "", 0)]
    public void TextsOfAPairAreReadApart(string first, string second, string one, string other, int cutOff)
    {
        var encoded = Apart.Encode(first, second);

        Assert.Equal([2, .. Ids(one), 3, 2, .. Ids(other), 3], encoded.Ids!.Ids);
        Assert.Equal(one.Length + 2, encoded.Ids.SecondWindow);
        Assert.Equal((cutOff, first.Length + second.Length == 0, true), (encoded.TokensCutOff, encoded.IsEmpty, encoded.IsPair));
    }

    [Fact]
    public void SequencesOfARowStandOneAfterTheOther()
    {
        EncodedText[] rows = [Apart.Encode("ab", "c"), Apart.Encode("", "defg")];

        var batch = ((TokenIdPacker)Apart.CreatePacker(default)).Pack(rows);

        Assert.Equal([2, 5, 6, 3, 2, 7, 3, 2, 3, 2, 8, 9, 10, 11, 3], batch.Ids.ToArray());
        Assert.True(batch.Types.IsEmpty);
        Assert.Equal([0, 4, 7, 9, 15], batch.Layout.Offsets.ToArray());
        Assert.Equal((4, 2), (batch.Layout.Sequences, batch.Layout.SequencesOfRow));
        Assert.Throws<InvalidOperationException>(() => batch.CountsOf(0).Length);
    }

    [Fact]
    public void EachIsFilledUpWhereAsked()
    {
        var packer = Apart.CreatePacker(new(PadToLongest: true, KeepsLayouts: false));

        var batch = ((TokenIdPacker)packer).Pack([Apart.Encode("ab", "c")]);

        Assert.Equal([2, 5, 6, 3, 2, 7, 3, 1], batch.Ids.ToArray());
        Assert.Equal([true, true, true, true, true, true, true, false], batch.Layout.Mask.ToArray());
    }

    [Fact]
    public void CountsOfAPairGoWithTheBatch()
    {
        var input = new PublishedTextInput(Config with { Windows = TextWindows.Apart, Linear = LinearInput.Words }, new LetterIds());
        var row = input.Encode("ab cd", "cd");

        var batch = ((TokenIdPacker)input.CreatePacker(default)).Pack([input.Encode("x", "y"), row]);

        Assert.Equal(row.Linear!.Counts, batch.CountsOf(1).ToArray());
        Assert.NotEqual(row.Linear.Counts, batch.CountsOf(0).ToArray());
    }

    [Fact]
    public void RowsOfOneSequenceAndOfTwoAreNotPackedTogether()
    {
        var whole = new PublishedTextInput(Config, new LetterIds());

        Assert.Throws<InvalidOperationException>(() => Apart.CreatePacker(default).Pack([whole.Encode("ab", "c")]));
        Assert.Throws<InvalidOperationException>(() => whole.CreatePacker(default).Pack([Apart.Encode("ab", "c")]));
    }

    private static int[] Ids(string letters) => [.. letters.Select(c => c - 'a' + 5)];
}
