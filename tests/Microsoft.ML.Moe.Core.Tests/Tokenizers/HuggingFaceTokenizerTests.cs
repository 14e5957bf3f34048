using System.Text;
using Microsoft.ML.Moe.Tokenizers;

namespace Microsoft.ML.Moe.Tests.Tokenizers;

public class HuggingFaceTokenizerTests
{
    private const string Bert = """
        {
          "added_tokens": [
            {"id": 1, "content": "[UNK]", "special": true, "normalized": false},
            {"id": 3, "content": "[SEP]", "special": true, "normalized": false},
            {"id": 11, "content": "<x>", "special": false, "normalized": false}
          ],
          "normalizer": {"type": "BertNormalizer"},
          "pre_tokenizer": {"type": "BertPreTokenizer"},
          "post_processor": {"type": "BertProcessing", "cls": ["[CLS]", 2], "sep": ["[SEP]", 3]},
          "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
          "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
            "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "the": 4, "river": 5, "##s": 6, ".": 7, "cafe": 8, "𝒜": 9, "##!": 10}
          }
        }
        """;

    [Fact]
    public void The_base_class_gives_offsets_into_the_original_text()
    {
        var tokens = Load(Bert).EncodeToTokens("The  Rivers, café 𝒜", out var normalized);

        Assert.Null(normalized);
        Assert.Equal(["the", "river", "##s", "[UNK]", "cafe", "𝒜"], tokens.Select(t => t.Value));
        Assert.Equal([0..3, 5..10, 10..11, 11..12, 13..17, 18..20], tokens.Select(t => t.Offset));
    }

    [Fact]
    public void The_base_class_adds_no_special_tokens_but_finds_those_in_the_text()
    {
        var tokenizer = Load(Bert);

        Assert.Equal([4, 3, 5], tokenizer.EncodeToIds("the[SEP]river"));
        Assert.Equal([2, 4, 3], tokenizer.Encode("the").Ids);
        Assert.Equal([2, 4, 3, 5, 3], tokenizer.Encode("the", "river").Ids);
        Assert.Equal([0, 0, 0, 1, 1], tokenizer.Encode("the", "river").TypeIds);
    }

    [Fact]
    public void Ids_far_apart_are_read_without_room_for_those_between()
    {
        const string Words = """
            {"pre_tokenizer": {"type": "WhitespaceSplit"},
             "model": {"type": "WordLevel", "unk_token": "<unk>", "vocab": {"<unk>": 0, "the": 3, "river": 4000000}}}
            """;
        Load(Words); // compiled before it is counted
        var before = GC.GetAllocatedBytesForCurrentThread();
        var tokenizer = Load(Words);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);

        Assert.Equal(4_000_001, tokenizer.VocabularySize);
        Assert.Equal([3, 4_000_000, 0], tokenizer.EncodeToIds("the river bends"));
        Assert.Equal("the river", tokenizer.Decode([3, 4_000_000]));
        Assert.Equal("the", tokenizer.Decode([3, 2_000_000])); // an id that is no token
    }

    [Fact]
    public void Counting_and_cutting_agree_with_encoding()
    {
        var tokenizer = Load(Bert);
        const string Text = "the rivers .";

        Assert.Equal(4, tokenizer.CountTokens(Text));
        Assert.Equal([4, 5], tokenizer.EncodeToIds(Text, 2, out _, out var consumed));
        Assert.Equal(9, consumed);
        Assert.Equal(9, tokenizer.GetIndexByTokenCount(Text, 2, out _, out var count));
        Assert.Equal(2, count);
        Assert.Equal(9, tokenizer.GetIndexByTokenCountFromEnd(Text, 2, out _, out _));
    }

    [Fact]
    public void Ids_decode_into_any_room()
    {
        var tokenizer = Load(Bert);

        Assert.Equal("[CLS] the rivers.", tokenizer.Decode([2, 4, 5, 6, 7]));
        Assert.Equal("the", tokenizer.Decode([2, 4, 99], skipSpecialTokens: false)[6..]);
        Assert.Equal(System.Buffers.OperationStatus.DestinationTooSmall, tokenizer.Decode([4, 5], new char[4], out var ids,
            out var written));
        Assert.Equal((0, 0), (ids, written));
        var room = new char[20];
        Assert.Equal(System.Buffers.OperationStatus.Done, tokenizer.Decode([4, 5], room, out ids, out written));
        Assert.Equal((2, "the river"), (ids, new string(room, 0, written)));
    }

    [Fact]
    public void Halves_of_surrogate_pairs_are_read_as_replacement_characters()
    {
        var encoding = Load(Bert).Encode("the\uD835 \uDC9C", addSpecialTokens: false);

        // BERT's normalizer deletes U+FFFD
        Assert.Equal([4], encoding.Ids);
        Assert.Equal([(0, 3)], encoding.Offsets);
    }

    [Fact]
    public void A_saved_tokenizer_is_the_same_again()
    {
        using var folder = new TemporaryFolder();
        var tokenizer = Load(Bert);

        tokenizer.Save(folder.Path);

        foreach (var again in new[] { HuggingFaceTokenizer.Load(folder.Path), HuggingFaceTokenizer.Load(tokenizer.Files) })
        {
            Assert.Equal(12, again.VocabularySize);
            Assert.Equal(tokenizer.EncodeToIds("the rivers <x>."), again.EncodeToIds("the rivers <x>."));
        }
    }

    [Fact]
    public void A_vocabulary_with_Windows_line_ends_is_read_with_its_configuration()
    {
        var files = new Dictionary<string, byte[]>
        {
            ["vocab.txt"] = "[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\n[MASK]\r\nThe\r\nthe\r\n"u8.ToArray(),
            ["tokenizer_config.json"] = """{"do_lower_case": false, "model_max_length": 128}"""u8.ToArray(),
            ["README.md"] = [1],
        };

        var tokenizer = HuggingFaceTokenizer.Load(files);

        Assert.Equal([2, 5, 6, 3], tokenizer.Encode("The the").Ids);
        Assert.Equal(128, tokenizer.MaximumLength);
        Assert.Equal(new SpecialTokenIds(2, 3, 0, 1, 4, -1, -1), tokenizer.SpecialTokens);
        Assert.Equal(["tokenizer_config.json", "vocab.txt"], tokenizer.Files.Keys.Order());
    }

    [Fact]
    public void Threads_do_not_disturb_one_another()
    {
        var tokenizer = Load(Bert);
        var texts = Enumerable.Range(0, 200).Select(i => string.Concat(Enumerable.Repeat("the rivers café ", i))).ToArray();
        var expected = texts.Select(t => tokenizer.EncodeIds(t)).ToArray();

        Parallel.For(0, 2000, i => Assert.Equal(expected[i % 200], tokenizer.EncodeIds(texts[i % 200])));
    }

    [Fact]
    public void Special_tokens_are_put_around_ids()
    {
        var (ids, types) = Load(Bert).AddSpecialTokens([4, 5], [7], isPair: true);

        Assert.Equal([2, 4, 5, 3, 7, 3], ids);
        Assert.Equal([0, 0, 0, 0, 1, 1], types);
    }

    [Theory]
    [InlineData(5, 3, 8, 5, 3)]
    [InlineData(9, 3, 8, 5, 3)]
    [InlineData(3, 9, 8, 3, 5)]
    [InlineData(9, 8, 7, 4, 3)]
    [InlineData(8, 9, 7, 3, 4)]
    public void The_longer_text_gives_way_first(int first, int second, int room, int ofFirst, int ofSecond) =>
        Assert.Equal((ofFirst, ofSecond), first + second <= room ? (first, second) : TruncationSettings.Share(first, second, room));

    private static HuggingFaceTokenizer Load(string json) => HuggingFaceTokenizer.Load(new MemoryStream(Encoding.UTF8.GetBytes(json)));
}
