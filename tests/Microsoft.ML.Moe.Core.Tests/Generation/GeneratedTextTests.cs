using System.Text;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Tokenizers;

namespace Microsoft.ML.Moe.Tests.Generation;

public sealed class GeneratedTextTests
{
    // bytes as tokens
    private static string Bytes(IEnumerable<int> ids) => Encoding.UTF8.GetString([.. ids.Select(id => (byte)id)]);

    [Theory]
    [InlineData("plain words")]
    [InlineData("Zwölf Äpfel")]
    [InlineData("日本の雪🙂🙂!")]
    [InlineData("🙂")]
    public void Pieces_are_whole_characters_and_together_the_whole_text(string text)
    {
        var pieces = new IncrementalText(Bytes);
        var parts = Encoding.UTF8.GetBytes(text).Select(b => pieces.Append(b)).ToList();
        parts.Add(pieces.End());

        Assert.Equal(text, string.Concat(parts));
        Assert.All(parts, part => Assert.DoesNotContain('\uFFFD', part));
        Assert.All(parts, part => Assert.False(part.Length > 0 && (char.IsLowSurrogate(part[0]) || char.IsHighSurrogate(part[^1]))));
        Assert.Equal("", parts[^1]);
    }

    [Fact]
    public void What_is_no_character_comes_as_a_replacement()
    {
        var pieces = new IncrementalText(Bytes);
        int[] ids = ['a', 0xE2, 0x82, 'b', 0xF0, 0x9F];

        var parts = ids.Select(pieces.Append).ToList();
        parts.Add(pieces.End());

        Assert.Equal(["a", "", "", "\uFFFDb", "", "", "\uFFFD"], parts);
        Assert.Equal(Bytes(ids), string.Concat(parts));
    }

    public static TheoryData<string> Tokenizers { get; } =
        new(Goldens.Folders("tokenizers").Select(folder => Path.GetFileName(folder)).DefaultIfEmpty(""));

    [SkippableTheory]
    [Trait("Category", "Goldens")]
    [MemberData(nameof(Tokenizers))]
    public void Pieces_of_any_tokenizer_are_together_what_it_decodes(string name)
    {
        Skip.If(name.Length == 0, "There are no goldens of tokenizers: set MLNETMOE_GOLDENS to their folder.");
        var tokenizer = HuggingFaceTokenizer.Load(Path.Combine(Goldens.Root!, "tokenizers", name));
        string[] texts =
        [
            "The river bends twice, and it's 3.5 km to the sea.", "Zwölf Äpfel à 2 €  –  café\n\tnaïve", "日本の雪 🙂👩‍👩‍👧 한국어 ไทย हिन्दी", " leading, trailing ",
        ];
        foreach (var text in texts)
        {
            var ids = tokenizer.Encode(text).Ids;
            var pieces = new IncrementalText(tokens => tokenizer.Decode(tokens, skipSpecialTokens: true));

            var parts = ids.Select(pieces.Append).ToList();
            parts.Add(pieces.End());

            Assert.Equal(tokenizer.Decode(ids, skipSpecialTokens: true), string.Concat(parts));
        }
    }

    [Theory]
    [InlineData("one two END three", "one two ")]
    [InlineData("one two EN", "one two EN")]
    [InlineData("one\n\ntwo", "one")]
    [InlineData("EEND", "E")]
    [InlineData("END", "")]
    public void Text_is_cut_before_a_stop_string_however_it_is_cut_into_pieces(string text, string expected)
    {
        for (var size = 1; size <= text.Length; size++)
        {
            var stop = new StopText(["END", "\n\n", "EndX"]);
            var given = new List<string>();
            foreach (var piece in text.Chunk(size))
            {
                given.Add(stop.Append(new string(piece)));
                if (stop.IsFound)
                    break;
                // what was given is never taken back
                Assert.StartsWith(string.Concat(given), expected);
            }

            given.Add(stop.End());
            Assert.Equal(expected, string.Concat(given));
            Assert.Equal(expected.Length < text.Length, stop.IsFound);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void A_stop_string_ends_an_answer_within_and_across_tokens(int beams)
    {
        // tokens are pairs of letters: a stop string of three takes two tokens
        string[] vocabulary = ["ab", "ba", "cc", "ac", "bb", "ca"];
        var decode = (IReadOnlyList<int> ids) => string.Concat(ids.Select(id => vocabulary[id]));
        var found = 0;
        foreach (var seed in Enumerable.Range(0, 20))
        {
            var model = new TableModel(6, seed);
            var options = new GenerationOptions { MaximumNewTokens = 12, Beams = beams };
            var whole = new Generator(model, options, decode).Generate([[1]])[0][0];
            var pieces = new StringBuilder();

            var cut = new Generator(model, options with { StopStrings = ["bca", "aac"] }, decode)
                .Generate([[1]], pieceMade: piece => pieces.Append(piece.Text))[0][0];

            Assert.Equal(cut.Text, pieces.ToString());
            Assert.DoesNotContain("bca", cut.Text);
            Assert.DoesNotContain("aac", cut.Text);
            if (cut.End == GenerationEnd.StopString)
            {
                found++;
                Assert.StartsWith(cut.Text!, decode(cut.Tokens));
                Assert.Matches("(bca|aac).?$", decode(cut.Tokens));
            }
            else if (beams == 1)
                Assert.Equal(whole.Text, cut.Text);
            if (beams == 1)
                Assert.Equal(whole.Tokens.Take(cut.Tokens.Length), cut.Tokens);
        }

        Assert.InRange(found, 3, 20);
    }

    [Fact]
    public void An_end_token_is_not_part_of_the_text()
    {
        var model = new TableModel(4) { Added = [10f, 0f, 0f, 0f] };
        var options = new GenerationOptions { EndTokens = [0], MinimumNewTokens = 3 };

        var answer = new Generator(model, options, ids => string.Join('-', ids)).Generate([[1]])[0][0];

        Assert.Equal(4, answer.Tokens.Length);
        Assert.Equal(string.Join('-', answer.Tokens.SkipLast(1)), answer.Text);
        Assert.Equal(GenerationEnd.EndToken, answer.End);
    }
}
