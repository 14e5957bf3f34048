using Microsoft.ML.Data;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Onnx;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tests.PublishedEncoders;
using Microsoft.ML.Moe.Trainers;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Onnx;

/// <summary>Transformers written by <c>SaveOnnx</c> give in ML.NET's own <c>ApplyOnnxModel</c> what they give themselves.</summary>
public sealed class PipelineTests : IDisposable
{
    private const int Rows = 1000;
    private const int Side = 6;

    private readonly MLContext _ml = new(seed: 1);
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Classes_of_a_table_by_several_networks()
    {
        var table = _ml.Data.LoadFromEnumerable(TableRows());
        var data = Prepared(table);
        var pipeline = _ml.Transforms.Conversion.MapValueToKey("Label")
            .Append(_ml.MulticlassClassification.Trainers.MoeClassifier(Tiny(new MoeFeatureClassificationTrainer.Options(), networks: 2)));
        using var model = pipeline.Fit(data);
        model.LastTransformer.SaveOnnx(_folder["model.onnx"]);
        AssertAgrees(model.LastTransformer, data, "Score", 3);
    }

    [Fact]
    public void Yes_or_no()
    {
        var data = Prepared(_ml.Data.LoadFromEnumerable(TableRows()));
        using var model = _ml.BinaryClassification.Trainers.MoeBinaryClassifier(Tiny(new MoeBinaryClassificationTrainer.Options
        {
            LabelColumnName = nameof(TableRow.IsLarge),
        })).Fit(data);
        model.SaveOnnx(_folder["model.onnx"]);
        AssertAgrees(model, data, "Probability", 1);
        AssertAgrees(model, data, "Score", 1);
    }

    [Fact]
    public void A_number()
    {
        var data = Prepared(_ml.Data.LoadFromEnumerable(TableRows()));
        using var model = _ml.Regression.Trainers.MoeRegressor(Tiny(new MoeRegressionTrainer.Options
        {
            LabelColumnName = nameof(TableRow.Sum),
            SpreadColumnName = "Spread",
        })).Fit(data);
        model.SaveOnnx(_folder["model.onnx"]);
        AssertAgrees(model, data, "Score", 1);
        AssertAgrees(model, data, "Spread", 1);
    }

    [Fact]
    public void Classes_of_images()
    {
        var random = new Random(3);
        var data = _ml.Data.LoadFromEnumerable(Enumerable.Range(0, Rows).Select(i => new ImageRow
        {
            Label = i % 3, Pixels = [.. Enumerable.Range(0, Side * Side).Select(p => random.NextSingle() + (p % 3 == i % 3 ? 1 : 0))],
        }).ToList());
        var pipeline = _ml.Transforms.Conversion.MapValueToKey("Label")
            .Append(_ml.MulticlassClassification.Trainers.MoeImageClassifier(new MoeImageClassificationTrainer.Options
            {
                FeatureColumnName = nameof(ImageRow.Pixels),
                ImageWidth = Side,
                ImageHeight = Side,
                Channels = 1,
                Width = 16,
                Layers = 1,
                Heads = 2,
                Experts = 4,
                ExpertWidth = 16,
                Threads = 1,
                MaxEpochs = 1,
                Router = Router.Unified(1.5),
            }));
        using var model = pipeline.Fit(data);
        model.LastTransformer.SaveOnnx(_folder["model.onnx"]);
        AssertAgrees(model.LastTransformer, data, "Score", 3, input: nameof(ImageRow.Pixels));
    }

    [Fact]
    public void Classes_of_pairs_of_texts_with_a_linear_branch()
    {
        var (first, second) = (TextModels.Texts(200, 8, seed: 1), TextModels.Texts(200, 8, seed: 2));
        var data = _ml.Data.LoadFromEnumerable(first.Zip(second, (one, other) => new PairRow
        {
            First = one, Second = other, Label = one.Split(' ').Intersect(other.Split(' ')).Any() ? "near" : "far",
        }).ToList());
        var trainer = _ml.MulticlassClassification.Trainers.MoeTextClassifier(new MoeTextClassificationTrainer.Options
        {
            Sentence1ColumnName = nameof(PairRow.First),
            Sentence2ColumnName = nameof(PairRow.Second),
            Width = 16,
            Layers = 1,
            Heads = 2,
            Experts = 4,
            ExpertWidth = 16,
            HashBits = 10,
            Threads = 1,
            MaxEpochs = 1,
        });
        using var model = _ml.Transforms.Conversion.MapValueToKey("Label").Append(trainer).Fit(data);
        var classifier = model.LastTransformer;
        classifier.SaveOnnx(_folder["model.onnx"], new OnnxOptions { LinearBranch = OnnxLinearBranch.AsInput });
        using var file = new OnnxFile(_folder["model.onnx"]);
        var inputs = classifier.EncodeForOnnx(first, second);
        Assert.Equal(file.Inputs.Order(), inputs.Select(input => input.Name).Order());
        var network = ((FittedModel<EncodedText>)classifier.Model).Network;
        OnnxFile.Close(
            network,
            [.. first.Zip(second, (one, other) => ((TextInput)network.Input).Encode(one, other))],
            [.. model.Transform(data).GetColumn<float[]>("Score").SelectMany(row => row)],
            file.Run("Score", [.. inputs.Select(TextModels.Value)]),
            2,
            fewRows: 1);
        Assert.Throws<ArgumentException>(() => classifier.EncodeForOnnx(first));
        Assert.Throws<ArgumentException>(() => classifier.EncodeForOnnx(first, second[..3]));
    }

    [Fact]
    public void Embeddings_of_texts()
    {
        var encoder = _folder["encoder"];
        Directory.CreateDirectory(encoder);
        TinyPublished.Write(encoder, TinyPublished.Bert);
        TinyPublished.WriteTokenizer(encoder);
        var texts = TextModels.Texts(200, 8, seed: 6);
        var data = _ml.Data.LoadFromEnumerable(texts.Select(text => new TextRow { Text = text }).ToList());
        var options = new EmbedTextOptions { Device = MoeDevice.Cpu, Prompt = "find " };
        var embed = _ml.Transforms.Text.EmbedText("Vector", nameof(TextRow.Text), PublishedEncoder.FromFolder(encoder), options);
        using var model = embed.Fit(data);
        model.SaveOnnx(_folder["model.onnx"]);

        var inputs = model.EncodeForOnnx(texts).ToDictionary(input => input.Name);
        var length = inputs["input_ids"].Shape[1];
        // one row a time, all filled to one length: ML.NET wants to know it
        var schema = SchemaDefinition.Create(typeof(IdRow));
        foreach (var column in schema)
            column.ColumnType = new VectorDataViewType(NumberDataViewType.Int64, length);
        var ids = _ml.Data.LoadFromEnumerable(texts.Select((_, row) => new IdRow
        {
            Ids = ((long[])inputs["input_ids"].Values)[(row * length)..((row + 1) * length)],
            Mask = ((long[])inputs["attention_mask"].Values)[(row * length)..((row + 1) * length)],
        }).ToList(), schema);
        var shapes = new Dictionary<string, int[]>
        {
            ["input_ids"] = [1, length], ["attention_mask"] = [1, length], ["Embedding"] = [1, model.Width],
        };
        string[] columns = ["input_ids", "attention_mask"];
        var onnx = _ml.Transforms.ApplyOnnxModel(["Embedding"], columns, _folder["model.onnx"], shapes, recursionLimit: 100).Fit(ids);

        OnnxFile.Close(
            [.. model.Transform(data).GetColumn<float[]>("Vector").SelectMany(vector => vector)],
            [.. onnx.Transform(ids).GetColumn<float[]>("Embedding").SelectMany(vector => vector)],
            model.Width);
    }

    [Fact]
    public void Embeddings_of_a_published_encoder()
    {
        var texts = TextModels.Texts(60, 12, seed: 8);
        var data = _ml.Data.LoadFromEnumerable(texts.Select(text => new TextRow { Text = text }).ToList());
        using var model = _ml.Transforms.Text.EmbedText("Vector", nameof(TextRow.Text), PublishedEncoder.MiniLM).Fit(data);
        model.SaveOnnx(_folder["model.onnx"]);
        using var file = new OnnxFile(_folder["model.onnx"]);
        var inputs = model.EncodeForOnnx(texts).Select(input => OnnxFile.Input(input.Name, (long[])input.Values, [.. input.Shape]));
        OnnxFile.Close(
            [.. model.Transform(data).GetColumn<float[]>("Vector").SelectMany(vector => vector)],
            file.Run("Embedding", [.. inputs]),
            model.Width);
    }

    [Fact]
    public void Texts_that_are_longer_than_a_graph_reads()
    {
        var encoder = _folder["encoder"];
        Directory.CreateDirectory(encoder);
        // beyond 6 tokens its positions turn by the length of each row
        TinyPublished.Write(encoder, TinyPublished.NomicMixture);
        TinyPublished.WriteTokenizer(encoder);
        var data = _ml.Data.LoadFromEnumerable<TextRow>([new() { Text = "rain" }]);
        var options = new EmbedTextOptions { Device = MoeDevice.Cpu };
        var embed = _ml.Transforms.Text.EmbedText("Vector", nameof(TextRow.Text), PublishedEncoder.FromFolder(encoder), options);
        using var model = embed.Fit(data);
        Assert.NotEmpty(model.EncodeForOnnx(["a"]));
        var error = Assert.Throws<NotSupportedException>(() => model.EncodeForOnnx(["rain and sun and wind and bread"]));
        Assert.Contains("6 tokens", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_asked_of_the_wrong_model_is_named()
    {
        var data = Prepared(_ml.Data.LoadFromEnumerable(TableRows()));
        var trainer = _ml.Regression.Trainers.MoeRegressor(new MoeRegressionTrainer.Options
        {
            LabelColumnName = nameof(TableRow.Sum), Width = 8, MoeEvery = 0, Members = 2, Networks = 1, Threads = 1, MaxEpochs = 1,
        });
        var model = trainer.Fit(data);
        Assert.Throws<NotSupportedException>(() => model.EncodeForOnnx(["a"]));
        Assert.Throws<DirectoryNotFoundException>(() => model.SaveOnnx(Path.Combine(_folder["nowhere"], "model.onnx")));
        model.Dispose();
        Assert.Throws<ObjectDisposedException>(() => model.SaveOnnx(_folder["model.onnx"]));
    }

    /// <summary>Makes options those of a tiny model of a table.</summary>
    private static T Tiny<T>(T options, int networks = 1)
        where T : MoeFeatureOptions
    {
        (options.Width, options.Experts, options.ExpertWidth, options.Members) = (16, 4, 16, 4);
        (options.Networks, options.Threads, options.MaxEpochs) = (networks, 1, 2);
        return options;
    }

    private void AssertAgrees(MoeTransformer model, IDataView data, string output, int columns, string input = "Features")
    {
        var onnx = _ml.Transforms.ApplyOnnxModel([output], [input], _folder["model.onnx"]).Fit(data);
        var scored = model.Transform(data);
        float[] expected = columns > 1
            ? [.. scored.GetColumn<float[]>(output).SelectMany(row => row)]
            : [.. scored.GetColumn<float>(output)];
        float[] actual = [.. onnx.Transform(data).GetColumn<float[]>(output).SelectMany(row => row)];
        var values = data.GetColumn<float[]>(input);
        if (model.Model is FittedModel<ImagePixels> { Network: { Input: PatchInput { Images: var images } } ofImages })
            OnnxFile.Close(ofImages, [.. values.Select(pixels => images.Encode(pixels))], expected, actual, columns, fewRows: 5);
        else if (model.Model is FittedModel<FeatureRow> { Network: var ofTables })
            OnnxFile.Close(ofTables, [.. values.Select(row => FeatureRow.Dense(row))], expected, actual, columns, fewRows: 5);
        else
            Assert.Fail("The model reads neither images nor tables.");
    }

    private IDataView Prepared(IDataView table)
    {
        var prepare = _ml.Transforms.Categorical.OneHotEncoding("Kinds", nameof(TableRow.Kind))
            .Append(_ml.Transforms.Concatenate("Features", nameof(TableRow.First), nameof(TableRow.Second), "Kinds"))
            .Fit(table);
        return _ml.Data.Cache(prepare.Transform(table));
    }

    private static List<TableRow> TableRows()
    {
        var random = new Random(2);
        return
        [
            .. Enumerable.Range(0, Rows).Select(_ =>
            {
                var (first, kind) = (random.NextSingle() * 100, random.Next(4));
                var second = random.Next(15) == 0 ? float.NaN : random.NextSingle();
                var sum = first / 100 + (float.IsNaN(second) ? 0 : second) + kind;
                return new TableRow
                {
                    First = first,
                    Second = second,
                    Kind = $"kind {kind}",
                    Sum = sum,
                    IsLarge = sum > 2.5f,
                    Label = sum > 3 ? "large" : sum > 2 ? "middle" : "small",
                };
            }),
        ];
    }

    private sealed class TableRow
    {
        public float First { get; set; }

        public float Second { get; set; }

        public string Kind { get; set; } = "";

        public string Label { get; set; } = "";

        public float Sum { get; set; }

        public bool IsLarge { get; set; }
    }

    private sealed class ImageRow
    {
        public float Label { get; set; }

        [VectorType(Side * Side)]
        public float[] Pixels { get; set; } = [];
    }

    private sealed class PairRow
    {
        public string First { get; set; } = "";

        public string Second { get; set; } = "";

        public string Label { get; set; } = "";
    }

    private sealed class TextRow
    {
        public string Text { get; set; } = "";
    }

    private sealed class IdRow
    {
        [ColumnName("input_ids")]
        public long[] Ids { get; set; } = [];

        [ColumnName("attention_mask")]
        public long[] Mask { get; set; } = [];
    }
}
