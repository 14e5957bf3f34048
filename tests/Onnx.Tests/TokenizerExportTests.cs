using System.Text.Json.Nodes;
using Microsoft.ML.Data;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Onnx;
using Microsoft.ML.Moe.Tokenizers;
using Microsoft.ML.Moe.Trainers;

namespace Microsoft.ML.Moe.Tests.Onnx;

/// <summary>Classifiers with real tokenizers: what <c>EncodeForOnnx</c> makes of texts, through the file, is what they give themselves.</summary>
public sealed class TokenizerExportTests : IDisposable
{
    private const int Rows = 1000;
    private const int Length = 16;

    private static readonly string[] Known = ["rain", "sun", "cloud", "bread", "soup", "road"];

    private readonly MLContext _ml = new(seed: 1);
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> Published { get; } = new(
        new[] { "wordpiece-mpnet", "bpe-llama2", "bytelevel-gpt2", "unigram-xlmr" });

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("WordPiece", true)]
    [InlineData("WordPiece", false)]
    [InlineData("BPE", true)]
    [InlineData("BPE", false)]
    [InlineData("Unigram", true)]
    [InlineData("Unigram", false)]
    public void Subwords_of_a_small_vocabulary(string kind, bool hasBranch) => AssertAgrees(
        kind switch
        {
            "WordPiece" => TextTokenizer.FromWordPieceVocabulary(TestVocabulary.Stream()),
            "BPE" => TextTokenizer.FromHuggingFace(Bpe()),
            _ => TextTokenizer.FromHuggingFace(Unigram()),
        },
        hasBranch);

    [SkippableTheory]
    [MemberData(nameof(Published))]
    public void Subwords_of_a_published_tokenizer(string name)
    {
        Skip.If(Goldens.Root is null, "There are no goldens of published tokenizers: set MLNETMOE_GOLDENS to their folder.");
        AssertAgrees(TextTokenizer.FromHuggingFace(HuggingFaceTokenizer.Load(Path.Combine(Goldens.Root!, "tokenizers", name))), hasBranch: true);
    }

    [Fact]
    public void The_small_vocabularies_divide_words()
    {
        Assert.Equal(["rain", "su", "n"], Bpe().EncodeIds("rain sun").Select(id => Bpe().TokenText(id)!));
        Assert.Equal(["▁rain", "▁", "s", "u", "n"], Unigram().EncodeIds("rain sun").Select(id => Unigram().TokenText(id)!));
    }

    [Fact]
    public void Classes_in_a_pipeline_with_ApplyOnnxModel()
    {
        var texts = TextModels.Texts(200, 8, seed: 6);
        var data = Data([.. texts, "", "!!"]);
        using var model = Pipeline(TextTokenizer.FromWordPieceVocabulary(TestVocabulary.Stream()), hasBranch: false).Fit(data);
        var classifier = model.LastTransformer;
        classifier.SaveOnnx(_folder["model.onnx"]);

        var encode = _ml.Transforms.CustomMapping<TextRow, TokenRow>(
            (text, tokens) =>
            {
                var inputs = classifier.EncodeForOnnx([text.Text]).ToDictionary(input => input.Name, input => (long[])input.Values);
                inputs["input_ids"].CopyTo(tokens.Ids = new long[Length], 0);
                inputs["attention_mask"].CopyTo(tokens.Mask = new long[Length], 0);
            },
            contractName: null);
        var shapes = new Dictionary<string, int[]> { ["input_ids"] = [1, Length], ["attention_mask"] = [1, Length], ["Score"] = [1, 2] };
        string[] columns = ["input_ids", "attention_mask"];
        var onnx = encode.Append(_ml.Transforms.ApplyOnnxModel(["Score"], columns, _folder["model.onnx"], shapes, recursionLimit: 100)).Fit(data);

        var network = ((FittedModel<EncodedText>)classifier.Model).Network;
        OnnxFile.Close(
            network,
            [.. data.GetColumn<string>("Text").Select(text => network.Input.Encode(text))],
            Scores(model, data),
            Scores(onnx, data),
            2,
            fewRows: 1);
    }

    private void AssertAgrees(TextTokenizer tokenizer, bool hasBranch)
    {
        List<string> texts = [.. TextModels.Texts(Rows - 2, 12, seed: 1), "", "!! 雨"];
        var data = Data(texts);
        using var model = Pipeline(tokenizer, hasBranch).Fit(data);
        var classifier = model.LastTransformer;
        classifier.SaveOnnx(
            _folder["model.onnx"],
            new OnnxOptions { LinearBranch = hasBranch ? OnnxLinearBranch.AsInput : OnnxLinearBranch.Refused });

        var inputs = classifier.EncodeForOnnx(texts);
        using var file = new OnnxFile(_folder["model.onnx"]);
        Assert.Equal(file.Inputs.Order(), inputs.Select(input => input.Name).Order());
        var ids = inputs.Single(input => input.Name == "input_ids");
        var read = ((long[])ids.Values).Chunk(ids.Shape[1]).Zip(texts).ToList();
        // the start token, and the tokenizer's ids behind the special rows
        Assert.All(read, row =>
        {
            var own = tokenizer.Encode(row.Second).Select(id => id + 3L).Prepend(0).Take(Length).ToList();
            Assert.Equal(own, row.First.Take(own.Count));
        });
        Assert.True(read.SelectMany(row => row.First).Distinct().Count() > 8, "The tokenizer tells too few subwords apart.");
        var network = ((FittedModel<EncodedText>)classifier.Model).Network;
        OnnxFile.Close(
            network,
            [.. texts.Select(text => network.Input.Encode(text))],
            Scores(model, data),
            file.Run("Score", [.. inputs.Select(TextModels.Value)]),
            2,
            fewRows: 3);
    }

    private IDataView Data(IEnumerable<string> texts) => _ml.Data.LoadFromEnumerable(texts.Select(text => new TextRow
    {
        Text = text, Label = Known.Any(word => text.Contains(word, StringComparison.Ordinal)) ? "known" : "other",
    }).ToList());

    private EstimatorChain<MoeTextClassificationTransformer> Pipeline(TextTokenizer tokenizer, bool hasBranch) =>
        _ml.Transforms.Conversion.MapValueToKey("Label")
            .Append(_ml.MulticlassClassification.Trainers.MoeTextClassifier(new MoeTextClassificationTrainer.Options
            {
                Sentence1ColumnName = nameof(TextRow.Text),
                Tokenizer = tokenizer,
                LinearBranch = hasBranch,
                MaximumTokens = Length,
                Width = 16,
                Layers = 1,
                Heads = 2,
                Experts = 4,
                ExpertWidth = 16,
                Threads = 1,
                MaxEpochs = 1,
            }));

    private static float[] Scores(ITransformer model, IDataView data) =>
        [.. model.Transform(data).GetColumn<float[]>("Score").SelectMany(row => row)];

    private static HuggingFaceTokenizer Bpe()
    {
        string[] merges = ["r a", "i n", "ra in", "s u"];
        List<string> tokens =
        [
            "<pad>", "</s>", "<unk>", .. Enumerable.Range('a', 26).Select(letter => $"{(char)letter}"),
            .. merges.Select(merge => merge.Replace(" ", "", StringComparison.Ordinal)),
        ];
        return new NewTokenizer
        {
            Model = new JsonObject
            {
                ["type"] = "BPE",
                ["unk_token"] = "<unk>",
                ["vocab"] = new JsonObject(tokens.Select((token, id) => KeyValuePair.Create(token, (JsonNode?)id))),
                ["merges"] = new JsonArray([.. merges.Select(merge => (JsonNode)merge)]),
            },
            PreTokenizer = new JsonObject { ["type"] = "Whitespace" },
            Decoder = new JsonObject { ["type"] = "Fuse" },
            ModelTokens = tokens.Count,
            Unknown = "<unk>",
        }.Create();
    }

    private static HuggingFaceTokenizer Unigram()
    {
        List<(string Text, double Score)> pieces =
        [
            ("<pad>", 0), ("</s>", 0), ("<unk>", 0), ("▁", -3), ("▁rain", -2), ("rain", -4), ("▁bread", -3), ("ou", -4),
            .. Enumerable.Range('a', 26).Select(letter => ($"{(char)letter}", -5.0)),
        ];
        return new NewTokenizer
        {
            Model = new JsonObject
            {
                ["type"] = "Unigram",
                ["unk_id"] = 2,
                ["vocab"] = new JsonArray([.. pieces.Select(piece => (JsonNode)new JsonArray(piece.Text, piece.Score))]),
            },
            PreTokenizer = new JsonObject { ["type"] = "Metaspace", ["replacement"] = "▁", ["prepend_scheme"] = "always", ["split"] = true },
            Decoder = new JsonObject { ["type"] = "Fuse" },
            ModelTokens = pieces.Count,
            Unknown = "<unk>",
        }.Create();
    }

    private sealed class TextRow
    {
        public string Text { get; set; } = "";

        public string Label { get; set; } = "";
    }

    private sealed class TokenRow
    {
        [ColumnName("input_ids")]
        [VectorType(Length)]
        public long[] Ids { get; set; } = [];

        [ColumnName("attention_mask")]
        [VectorType(Length)]
        public long[] Mask { get; set; } = [];
    }
}
