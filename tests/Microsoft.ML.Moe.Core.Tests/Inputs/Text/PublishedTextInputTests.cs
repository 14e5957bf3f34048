using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace Microsoft.ML.Moe.Tests.Inputs;

/// <summary>Texts as ids of a published tokenizer.</summary>
public class PublishedTextInputTests
{
    private static readonly PublishedTextInputConfig Config = new() { MaximumTokens = 9, VocabularySize = 31 };
    private static readonly PublishedTextInput Input = new(Config, new LetterIds());

    [Fact]
    public void SpecialTokensStandAroundATextAndAPair()
    {
        var text = Input.Encode("abc");
        var pair = Input.Encode("ab", "c");

        Assert.Equal([2, 5, 6, 7, 3], text.Ids!.Ids);
        Assert.Null(text.Ids.Types);
        Assert.Equal([2, 5, 6, 3, 7, 3], pair.Ids!.Ids);
        Assert.Equal([0, 0, 0, 0, 1, 1], pair.Ids.Types!);
        Assert.Equal((5, 0, false), (text.Length, text.TokensCutOff, text.IsEmpty));
        Assert.Equal(["[2]", "a", "b", "c", "[3]"], Enumerable.Range(0, 5).Select(i => Input.TextOf(text, i)));
    }

    [Fact]
    public void ALongTextIsCut()
    {
        var text = Input.Encode("abcdefghij");

        Assert.Equal([2, 5, 6, 7, 8, 9, 10, 11, 3], text.Ids!.Ids);
        Assert.Equal(3, text.TokensCutOff);
    }

    [Theory]
    [InlineData("ab", "cdefghijk", 2, 4)]
    [InlineData("abcdefghi", "jk", 4, 2)]
    [InlineData("abcdefghi", "jklmnopqr", 3, 3)]
    [InlineData("abc", "def", 3, 3)]
    [InlineData("abcd", "efgh", 3, 3)]
    [InlineData("", "abcdefghi", 0, 6)]
    public void OfAPairTheLongerTextGivesWayFirst(string first, string second, int keptOfFirst, int keptOfSecond)
    {
        var pair = Input.Encode(first, second);

        Assert.Equal(keptOfFirst + 2, pair.Ids!.Types!.Count(type => type == 0));
        Assert.Equal(keptOfSecond + 1, pair.Ids.Types!.Count(type => type == 1));
        Assert.Equal(first.Length + second.Length - keptOfFirst - keptOfSecond, pair.TokensCutOff);
    }

    [Theory]
    [InlineData("abcdef", "ghijklmnop", 3, 4)]
    [InlineData("abcdefghij", "klmnop", 4, 3)]
    [InlineData("abcdef", "ghijkl", 3, 4)]
    public void TheTokenThatIsLeftGoesToTheLonger(string first, string second, int keptOfFirst, int keptOfSecond)
    {
        var pair = new PublishedTextInput(Config with { MaximumTokens = 10 }, new LetterIds()).Encode(first, second);

        Assert.Equal((keptOfFirst + 2, keptOfSecond + 1), (pair.Ids!.Types!.Count(t => t == 0), pair.Ids.Types!.Count(t => t == 1)));
    }

    [Fact]
    public void AnEmptyTextHasSpecialTokensAlone()
    {
        Assert.True(Input.Encode("").IsEmpty);
        Assert.True(Input.Encode("", "").IsEmpty);
        Assert.False(Input.Encode("", "a").IsEmpty);
        Assert.Equal([2, 3], Input.Encode("").Ids!.Ids);
    }

    [Fact]
    public void PiecesHaveSpecialTokensEach() =>
        Assert.Equal(["2567891011 3", "21213 3"], Input.EncodePieces("abcdefghi").Select(piece => string.Concat(piece.Ids!.Ids[..^1]) + " " + piece.Ids.Ids[^1]));

    [Fact]
    public void ALinearBranchReadsTheSameWordsAsOfAnyInput()
    {
        var linear = new PublishedTextInput(Config with { Linear = LinearInput.Words }, new LetterIds());
        var table = TextInput.Create(new() { MaximumTokens = 9, Linear = LinearInput.Words });

        var (text, other) = (linear.Encode("It IS raining cats", "and dogs"), table.Encode("It IS raining cats", "and dogs"));

        Assert.Equal(other.Linear!.Blocks, text.Linear!.Blocks);
        Assert.Null(Input.Encode("it is").Linear);
    }

    [Fact]
    public void TextsAreKeptUntilItIsDecidedWhatIsReadOfThem()
    {
        var open = new PublishedTextInput(Config with { Linear = LinearInput.Undecided }, new LetterIds());
        var settled = new PublishedTextInput(Config with { Linear = LinearInput.Words, MaximumTokens = 5 }, new LetterIds());

        var text = open.Encode("abcdef");
        Assert.Equal(("abcdef", null), text.Source);
        var read = settled.Read(text);

        Assert.Equal([2, 5, 6, 7, 3], read.Ids!.Ids);
        Assert.NotNull(read.Linear);
        Assert.Null(read.Source);
    }

    [Fact]
    public void BatchesArePackedAndPaddedWhereAsked()
    {
        EncodedText[] rows = [Input.Encode("ab"), Input.Encode("c", "d"), Input.Encode("")];

        var packed = ((TokenIdPacker)Input.CreatePacker(default)).Pack(rows);
        Assert.Equal([2, 5, 6, 3, 2, 7, 3, 8, 3, 2, 3], packed.Ids.ToArray());
        Assert.Equal([0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0], packed.Types.ToArray());
        Assert.True(packed.Layout.Mask.IsEmpty);

        var padding = new PublishedTextInput(Config with { PaddingId = 1 }, new LetterIds()).CreatePacker(new(PadToLongest: true, KeepsLayouts: false));
        var padded = ((TokenIdPacker)padding).Pack(rows);
        Assert.Equal([2, 5, 6, 3, 1, 2, 7, 3, 8, 3, 2, 3, 1, 1, 1], padded.Ids.ToArray());
        Assert.Equal(4, padded.Layout.Mask.ToArray().Count(isToken => !isToken));
    }

    [Fact]
    public void AnIdBeyondTheTableIsAnError()
    {
        var input = new PublishedTextInput(Config with { VocabularySize = 10 }, new LetterIds());

        var error = Assert.Throws<InvalidOperationException>(() => input.Encode("z"));

        Assert.Contains("id 30", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ThereMustBeRoomForText() =>
        Assert.Throws<ArgumentException>(() => new PublishedTextInput(Config with { MaximumTokens = 3 }, new LetterIds()));

    [Fact]
    public void TextsOfAnotherInputAreNotPacked() => Assert.Throws<InvalidOperationException>(() =>
        Input.CreatePacker(default).Pack([TextInput.Create(new() { MaximumTokens = 8 }).Encode("a")]));
}
