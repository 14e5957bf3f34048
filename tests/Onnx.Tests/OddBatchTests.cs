using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Onnx;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Training;
using Microsoft.ML.Moe.Training;
using Microsoft.ML.OnnxRuntime;

namespace Microsoft.ML.Moe.Tests.Onnx;

/// <summary>Batches that a service meets now and then: empty texts, texts without a known word, rows of padding, one row, none.</summary>
public sealed class OddBatchTests : IDisposable
{
    private readonly ManagedEngine _engine = new(1);
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> Kinds =>
    [
        "words", "subwords", "pairs of words", "pairs of subwords", "unified", "of the batch", "of the time step", "experts", "soft", "linear",
        "published",
    ];

    public void Dispose()
    {
        _folder.Dispose();
        _engine.Dispose();
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Empty_texts_and_texts_without_a_known_word(string kind)
    {
        var model = Create(kind);
        List<EncodedText> rows = [.. new[] { "", "rain and sun", "!!", "", "123 456", "bread" }.Select(text => Encode(model, kind, text))];
        AssertClose(model, kind, rows);
        AssertClose(model, kind, [rows[0]]);
        AssertClose(model, kind, [rows[0], rows[3]]);
        AssertClose(model, kind, [rows[2]]);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void One_row_and_none(string kind)
    {
        var model = Create(kind);
        AssertClose(model, kind, [Encode(model, kind, "rain and sun")]);
        Assert.Empty(Run(model, kind, []));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Rows_of_padding_leave_the_others_as_they_are(string kind)
    {
        var model = Create(kind);
        List<EncodedText> rows = [.. TextModels.Texts(9, 8, seed: 3).Select(text => Encode(model, kind, text))];
        var actual = Run(model, kind, rows, paddingRows: 2);
        Assert.All(actual, value => Assert.True(float.IsFinite(value)));
        Assert.Equal((rows.Count + 2) * model.Outputs, actual.Length);
        OnnxFile.Close(model.Scores(rows), actual[..(rows.Count * model.Outputs)], model.Outputs);
    }

    [Fact]
    public void Tables_and_images_of_one_row_and_of_none()
    {
        var table = SmallModels.Table(_engine, new MemberClassesHeadConfig { Classes = 3, Members = SmallModels.Members });
        var images = SmallModels.Patches(_engine, Router.Unified(1.5));
        AssertRows(table, SmallModels.FeatureRows(5), SmallModels.Input);
        AssertRows(images, SmallModels.ImageRows(images, 5), rows => SmallModels.Input(images, rows));
    }

    private void AssertRows<TRow>(Model<TRow> model, List<TRow> rows, Func<List<TRow>, NamedOnnxValue> inputOf)
    {
        OnnxExport.Save(model, _folder["model.onnx"]);
        using var file = new OnnxFile(_folder["model.onnx"]);
        Assert.Empty(file.Run("Score", inputOf([])));
        foreach (var count in new[] { 1, 5 })
            OnnxFile.Close(model.Scores(rows[..count]), file.Run("Score", inputOf(rows[..count])), model.Outputs);
    }

    private void AssertClose(Model<EncodedText> model, string kind, List<EncodedText> rows)
    {
        var actual = Run(model, kind, rows);
        var expected = model.Scores(rows);
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], OnnxFile.Tolerance);
    }

    private float[] Run(Model<EncodedText> model, string kind, List<EncodedText> rows, int paddingRows = 0)
    {
        var isPair = kind.StartsWith("pairs", StringComparison.Ordinal);
        if (!File.Exists(_folder["model.onnx"]))
            OnnxExport.Save(model, _folder["model.onnx"], new OnnxOptions { LinearBranch = OnnxLinearBranch.AsInput }, isPair);
        using var file = new OnnxFile(_folder["model.onnx"]);
        var inputs = TextModels.Inputs(model, rows, isPair).Select(input => WithPadding(input, paddingRows));
        return file.Run(file.Outputs.First(), [.. inputs.Select(TextModels.Value)]);
    }

    private static OnnxInput WithPadding(OnnxInput input, int rows)
    {
        int[] shape = [input.Shape[0] + rows, .. input.Shape.Skip(1)];
        var length = shape.Aggregate(1, (product, size) => product * size);
        Array values = input.Values is long[] whole ? Longer(whole) : Longer((float[])input.Values);
        return new OnnxInput(input.Name, values, shape);

        T[] Longer<T>(T[] some)
        {
            Array.Resize(ref some, length);
            return some;
        }
    }

    private static EncodedText Encode(Model<EncodedText> model, string kind, string text) => ((TextInput)model.Input).Encode(
        text, kind.StartsWith("pairs", StringComparison.Ordinal) ? new string([.. text.Reverse()]) : null);

    private Model<EncodedText> Create(string kind)
    {
        if (kind == "linear")
        {
            var trainer = new TextClassifierTrainer(ToyTable.Config(epochs: 1), 3, _engine);
            return trainer.Train(ToyTable.Encoded(trainer.Input, 90, seed: 1));
        }

        if (kind == "published")
            return SmallModels.Embedder(_engine, _folder["encoder"]).Model;
        var input = TableTextInput.Create(
            new TextInputConfig { HashBits = 9, MaximumTokens = 12 }, kind.EndsWith("subwords", StringComparison.Ordinal) ? new Letters() : null);
        var encoder = new EncoderConfig
        {
            Width = 16,
            Layers = 1,
            Heads = 2,
            Experts = 4,
            ExpertWidth = 16,
            Router = kind switch
            {
                "unified" => Router.Unified(1.5),
                "of the batch" => Router.Unified(1.5, scope: RoutingScope.Batch),
                "of the time step" => Router.ExpertChoice(1.5, RoutingScope.TimeStep),
                "experts" => Router.ExpertChoice(1.5),
                "soft" => Router.Soft(),
                _ => Router.TokenChoice(2) with { CapacityFactor = 1.25 },
            },
        };
        return new Model<EncodedText>(
            _engine,
            new ModelConfig { Input = input.Config, Encoder = encoder, Head = new ClassesHeadConfig { Classes = 3 } },
            input,
            new ParameterStore(_engine, seed: 3));
    }
}
