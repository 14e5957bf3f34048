using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Onnx;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Training;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Onnx;

/// <summary>This library's own classifiers of texts: hashed words, subwords, pairs, and a linear branch beside the network.</summary>
public sealed class TextExportTests : IDisposable
{
    private const int Rows = 1000;

    private readonly ManagedEngine _engine = new(2);
    private readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        _folder.Dispose();
        _engine.Dispose();
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void Words_and_subwords_alone_and_in_pairs(bool hasTokenizer, bool isPair)
    {
        var input = TableTextInput.Create(new TextInputConfig { HashBits = 9, MaximumTokens = 12 }, hasTokenizer ? new Letters() : null);
        var encoder = new EncoderConfig
        {
            Width = 16, Layers = 1, Heads = 2, Experts = 4, ExpertWidth = 16, Router = Router.TokenChoice(2),
        };
        var model = new Model<EncodedText>(
            _engine,
            new ModelConfig { Input = input.Config, Encoder = encoder, Head = new ClassesHeadConfig { Classes = 3 } },
            input,
            new ParameterStore(_engine, seed: 3));
        var (first, second) = (TextModels.Texts(Rows, 14, seed: 1), TextModels.Texts(Rows, 14, seed: 2));
        var rows = first.Zip(second, (one, other) => input.Encode(one, isPair ? other : null)).ToList();
        Assert.Contains(rows, row => row.TokensCutOff > 0);
        OnnxFile.Close(
            model, rows, model.Scores(rows), TextModels.Run(model, _folder["model.onnx"], rows, "Score", isPair: isPair), 3, fewRows: 3);
    }

    [Fact]
    public void Vectors_of_an_encoder()
    {
        var input = TableTextInput.Create(new TextInputConfig { HashBits = 9, MaximumTokens = 12 });
        var encoder = new EncoderConfig { Width = 16, Layers = 1, Heads = 2, Experts = 4, ExpertWidth = 16 };
        var model = new Model<EncodedText>(
            _engine,
            new ModelConfig { Input = input.Config, Encoder = encoder, Head = new VectorHeadConfig() },
            input,
            new ParameterStore(_engine, seed: 3));
        var rows = TextModels.Texts(Rows, 14, seed: 1).Select(text => input.Encode(text)).ToList();
        OnnxFile.Close(
            model, rows, model.Scores(rows), TextModels.Run(model, _folder["model.onnx"], rows, "Embedding"), 16, fewRows: 3);
    }

    [Fact]
    public void A_linear_branch_is_refused_or_left_out_or_read_as_it_is_asked_for()
    {
        var trainer = new TextClassifierTrainer(ToyTable.Config(epochs: 1), 3, _engine);
        var model = trainer.Train(ToyTable.Encoded(trainer.Input, 90, seed: 1));
        var alone = new Model<EncodedText>(_engine, model.Config, model.Input, new ParameterStore(model.Parameters));
        var rows = TextModels.Texts(100, 8, seed: 5).Select(text => model.Input.Encode(text)).ToList();
        Assert.NotEqual(alone.Scores(rows), model.Scores(rows));

        var error = Assert.Throws<NotSupportedException>(() => OnnxExport.Save(model, _folder["model.onnx"]));

        Assert.Contains(nameof(OnnxLinearBranch.AsInput), error.Message, StringComparison.Ordinal);
        Assert.Empty(_folder.Files);
        OnnxFile.Close(alone, rows, alone.Scores(rows), Run(OnnxLinearBranch.LeftOut), 3, fewRows: 1);
        OnnxFile.Close(model, rows, model.Scores(rows), Run(OnnxLinearBranch.AsInput), 3, fewRows: 1);

        float[] Run(OnnxLinearBranch branch) =>
            TextModels.Run(model, _folder["model.onnx"], rows, "Score", new OnnxOptions { LinearBranch = branch });
    }
}
