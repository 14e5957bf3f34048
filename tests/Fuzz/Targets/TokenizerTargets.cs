using System.Text;
using System.Text.Json;
using Microsoft.ML.Moe.Tests.Files;
using Microsoft.ML.Moe.Tests.PublishedEncoders;
using Microsoft.ML.Moe.Tokenizers;

namespace Microsoft.ML.Moe.Tests.Fuzzing;

/// <summary>Files of a tokenizer, which then reads some texts.</summary>
internal abstract class TokenizerFilesTarget : FuzzTarget
{
    private static readonly string[] Texts = ["", "the river  bends\ttwice.", "Ünïcode 𝒜 日本語 <x>[SEP]",
        "a\u0301\uD800b ▁ don't 12,345\r\n"];

    /// <summary>Also a text with unknown words, where the vocabulary has no token for them.</summary>
    public override bool IsDocumented(Exception exception) => exception is InvalidDataException or FileNotFoundException
        || IsOfUnknownWords(exception);

    /// <summary>Whether the vocabulary has no token for what a text needs.</summary>
    public static bool IsOfUnknownWords(Exception exception) =>
        exception is InvalidOperationException && exception.Message.StartsWith("The vocabulary ", StringComparison.Ordinal);

    // besides its vocabulary a tokenizer has tables of its own, of fixed size
    public override long MostAllocated(long length) => (8L << 20) + 2048 * length;

    public override void Read(FuzzInput input)
    {
        var tokenizer = HuggingFaceTokenizer.Load(input.ToDictionary());
        foreach (var text in Texts)
        {
            var ids = tokenizer.EncodeIds(text);
            if (ids.Any(id => id < 0 || id >= tokenizer.VocabularySize))
                throw new InvalidOperationException("An id is outside the vocabulary.");
            _ = tokenizer.Encode(text, "b", withTokens: true);
            _ = tokenizer.Decode(ids, skipSpecialTokens: true);
        }
    }
}

/// <summary><c>tokenizer.json</c>, with all kinds of parts.</summary>
internal sealed class TokenizerTarget : TokenizerFilesTarget
{
    private const string Bert = """
        {
          "version": "1.0", "truncation": {"max_length": 16, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
          "padding": {"strategy": {"Fixed": 4}, "direction": "Left", "pad_to_multiple_of": 2, "pad_id": 0, "pad_type_id": 0,
            "pad_token": "[PAD]"},
          "added_tokens": [
            {"id": 1, "content": "[UNK]", "special": true, "normalized": false, "single_word": false, "lstrip": false, "rstrip": false},
            {"id": 3, "content": "[SEP]", "special": true, "normalized": false}, {"id": 9, "content": "<x>", "special": false,
              "normalized": true, "lstrip": true}
          ],
          "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null,
            "lowercase": true},
          "pre_tokenizer": {"type": "BertPreTokenizer"},
          "post_processor": {"type": "BertProcessing", "cls": ["[CLS]", 2], "sep": ["[SEP]", 3]},
          "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
          "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
            "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "the": 4, "river": 5, "##s": 6, ".": 7, "b": 8}}
        }
        """;

    private const string Bpe = """
        {
          "added_tokens": [{"id": 0, "content": "<s>", "special": true}],
          "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Replace", "pattern": {"Regex": " {2,}"},
            "content": " "}, {"type": "Strip"},
            {"type": "Prepend", "prepend": "a"}, {"type": "StripAccents"}, {"type": "Lowercase"}, {"type": "Nmt"}]},
          "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": "(?i:'s|'t)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|\\s+(?!\\S)|\\s+"},
              "behavior": "Isolated", "invert": false},
            {"type": "Digits", "individual_digits": true}, {"type": "Punctuation", "behavior": "MergedWithPrevious"},
              {"type": "UnicodeScripts"},
            {"type": "ByteLevel", "add_prefix_space": true, "use_regex": true, "trim_offsets": true}]},
          "post_processor": {"type": "Sequence", "processors": [{"type": "ByteLevel", "trim_offsets": true},
            {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A",
              "type_id": 0}}],
             "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<s>", "type_id": 1}}, {"Sequence": {"id": "B",
               "type_id": 1}}],
             "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}}}]},
          "decoder": {"type": "Sequence", "decoders": [{"type": "ByteLevel"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0},
            {"type": "Fuse"}]},
          "model": {"type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null, "end_of_word_suffix": null,
            "fuse_unk": true,
            "byte_fallback": false, "ignore_merges": false, "vocab": {"<s>": 0, "<unk>": 1, "t": 2, "h": 3, "e": 4, "th": 5, "the": 6,
              "Ġ": 7, "Ġthe": 8, "r": 9},
            "merges": [["t", "h"], ["th", "e"], "Ġ the"]}
        }
        """;

    private const string Unigram = """
        {
          "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Replace", "pattern": {"String": "  "},
            "content": " "}]},
          "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
          "post_processor": {"type": "RobertaProcessing", "cls": ["<s>", 0], "sep": ["</s>", 1], "trim_offsets": true,
            "add_prefix_space": true},
          "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"}, {"type": "CTC", "pad_token": "<pad>",
              "word_delimiter_token": "|", "cleanup": true}]},
          "model": {"type": "Unigram", "unk_id": 2, "byte_fallback": true,
            "vocab": [["<s>", 0.0], ["</s>", 0.0], ["<unk>", 0.0], ["▁the", -1.5], ["▁", -2.0], ["r", -3.0], ["iver", -3.5], ["<0xE6>",
              -9.0]]}
        }
        """;

    private const string WordLevel = """
        {
          "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "CharDelimiterSplit",
            "delimiter": "-"}, {"type": "Whitespace"},
            {"type": "FixedLength", "length": 3}]},
          "decoder": {"type": "BPEDecoder", "suffix": "</w>"},
          "model": {"type": "WordLevel", "unk_token": "<unk>", "vocab": {"<unk>": 0, "the": 1, "river": 2}}
        }
        """;

    public override string Name => "tokenizer";

    protected override IEnumerable<FuzzInput> CreateSeeds()
    {
        foreach (var json in new[] { Bert, Bpe, Unigram, WordLevel })
            yield return new FuzzInput(new FuzzFile("tokenizer.json", Encoding.UTF8.GetBytes(json)));
        TinyPublished.WriteTokenizer(Place.Path);
        yield return FuzzInput.OfFolder(Place.Path);
    }
}

/// <summary>The files of older tokenizers but for SentencePiece's.</summary>
internal sealed class OlderTokenizerTarget : TokenizerFilesTarget
{
    private const string Config = """
        {
          "tokenizer_class": "CLASS", "do_lower_case": true, "tokenize_chinese_chars": true, "strip_accents": null, "model_max_length": 512,
          "unk_token": "[UNK]", "add_prefix_space": false, "add_bos_token": true, "additional_special_tokens": ["<y>"],
          "added_tokens_decoder": {"30": {"content": "<x>", "lstrip": false, "normalized": false, "rstrip": false, "single_word": false,
            "special": true}}
        }
        """;

    private const string Map = """
        {"cls_token": "[CLS]", "sep_token": {"content": "[SEP]", "lstrip": false, "normalized": false, "rstrip": false}}
        """;

    public override string Name => "older-tokenizer";

    protected override IEnumerable<FuzzInput> CreateSeeds()
    {
        yield return new FuzzInput(
            new FuzzFile("vocab.txt", TestVocabulary.Stream().ToArray()),
            new FuzzFile("tokenizer_config.json", Bytes(Config.Replace("CLASS", "BertTokenizer", StringComparison.Ordinal))),
            new FuzzFile("special_tokens_map.json", Bytes(Map)));
        foreach (var kind in new[] { "GPT2Tokenizer", "RobertaTokenizer", "Qwen2Tokenizer" })
        {
            string[] tokens = ["<s>", "</s>", "<pad>", "<unk>", "<mask>", "[UNK]", "[CLS]", "[SEP]", "<|endoftext|>", "t", "h", "e", "th",
                "the", "Ġ", "Ġthe"];
            yield return new FuzzInput(
                new FuzzFile("vocab.json", JsonSerializer.SerializeToUtf8Bytes(tokens.Index().ToDictionary(t => t.Item, t => t.Index))),
                new FuzzFile("merges.txt", Bytes("#version: 0.2\nt h\nth e\nĠ the\n")),
                new FuzzFile("tokenizer_config.json", Bytes(Config.Replace("CLASS", kind, StringComparison.Ordinal))));
        }

        static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);
    }
}

/// <summary>A SentencePiece model, unigram or BPE.</summary>
internal sealed class SentencePieceTarget : TokenizerFilesTarget
{
    public override string Name => "sentencepiece";

    protected override IEnumerable<FuzzInput> CreateSeeds()
    {
        foreach (var (type, file, kind) in new[] { (1, "spiece.model", "T5Tokenizer"), (2, "tokenizer.model", "LlamaTokenizer"), (1,
            "sentencepiece.bpe.model", "XLMRobertaTokenizer") })
            yield return new FuzzInput(
                new FuzzFile(file, Model(type)),
                new FuzzFile("tokenizer_config.json", Encoding.UTF8.GetBytes(
                    $$"""{"tokenizer_class": "{{kind}}", "extra_ids": 4, "legacy": false, "add_bos_token": true}""")));
    }

    private static byte[] Model(int type)
    {
        (string Text, float Score, int Kind)[] pieces =
        [
            ("<pad>", 0, 3), ("</s>", 0, 3), ("<unk>", 0, 2), ("<s>", 0, 3), ("<0x0A>", 0, 6), ("▁", -1, 1), ("t", -2, 1), ("h", -3, 1),
                ("e", -4, 1), ("th", -5, 1),
            ("the", -6, 1), ("▁the", -7, 1), ("r", -8, 1), ("<y>", 0, 4), ("z", 0, 5),
        ];
        return
        [
            .. pieces.SelectMany(p => OnnxBytes.Bytes(1, [.. OnnxBytes.Bytes(1, p.Text), 0x15, .. BitConverter.GetBytes(p.Score),
                .. OnnxBytes.Number(3, p.Kind)])),
            .. OnnxBytes.Bytes(2, [.. OnnxBytes.Number(3, type), .. OnnxBytes.Number(40, 2)]), .. OnnxBytes.Bytes(3,
                [.. OnnxBytes.Number(3, 1)]),
        ];
    }
}

/// <summary>A vocabulary that a model is trained with.</summary>
internal sealed class VocabularyTarget : FuzzTarget
{
    public override string Name => "vocabulary";

    public override bool IsDocumented(Exception exception) => exception is ArgumentException { ParamName: not null };

    public override long MostAllocated(long length) => (4L << 20) + 1024 * length;

    public override void Read(FuzzInput input)
    {
        var tokenizer = TextTokenizer.FromWordPieceVocabulary(new MemoryStream(input.Single));
        if (tokenizer.Encode("rain stops, café\n").Any(id => id < 0 || id >= tokenizer.VocabularySize))
            throw new InvalidOperationException("An id is outside the vocabulary.");
    }

    protected override IEnumerable<FuzzInput> CreateSeeds()
    {
        yield return new FuzzInput(new FuzzFile("vocab.txt", TestVocabulary.Stream().ToArray()));
    }
}
