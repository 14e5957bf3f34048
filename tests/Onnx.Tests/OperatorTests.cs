using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Onnx;
using Microsoft.ML.Moe.Onnx.Format;
using Microsoft.ML.Moe.Onnx.Graph;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Onnx;

/// <summary>Mixtures as ONNX Runtime's own operator, and weights beside the file.</summary>
public sealed class OperatorTests : IDisposable
{
    private static readonly OnnxOptions Operator = new() { Operators = OnnxOperators.Microsoft };

    private readonly ManagedEngine _engine = new(2);
    private readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        _folder.Dispose();
        _engine.Dispose();
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, true)]
    [InlineData(3, false)]
    public void The_operator_of_ONNX_Runtime_gives_the_same(int expertsPerToken, bool normalizes)
    {
        var model = Create(Router.TokenChoice(expertsPerToken, normalizes));
        var rows = Encoded(model);
        OnnxFile.Close(
            model, rows, model.Scores(rows), TextModels.Run(model, _folder["model.onnx"], rows, "Score", Operator), 3, fewRows: 3);
        var written = ModelProto.Parser.ParseFrom(File.ReadAllBytes(_folder["model.onnx"]));
        Assert.Equal(2, written.Graph.Node.Count(node => node is { OpType: "MoE", Domain: "com.microsoft" }));
        Assert.DoesNotContain(written.Graph.Node, node => node.OpType == "ScatterND");
    }

    [Fact]
    public void A_global_workspace_is_of_training_alone()
    {
        var model = Create(Router.TokenChoice(2));
        var rows = Encoded(model);
        var inWorkspace = model.WithPolicy(new GlobalWorkspace(new TokenChoice(2, true), entropyThreshold: 0));
        var actual = TextModels.Run(inWorkspace, _folder["model.onnx"], rows, "Score", Operator);
        OnnxFile.Close(model, rows, model.Scores(rows), actual, 3, fewRows: 3);
        Assert.Equal(TextModels.Run(model, _folder["model.onnx"], rows, "Score", Operator), actual);
        var limited = model.WithPolicy(new GlobalWorkspace(ExpertCapacity.FromTokens(new TokenChoice(2, true), 1), entropyThreshold: 0));
        AssertRefused(limited, "Token Choice");
    }

    [Fact]
    public void What_the_operator_cannot_do_is_refused()
    {
        AssertRefused(Create(Router.Unified(1.5)), "Token Choice");
        AssertRefused(Create(Router.TokenChoice(2) with { CapacityFactor = 1 }), "Token Choice");
        AssertRefused(Create(Router.TokenChoice(2) with { ScoreFunction = ScoreFunction.Sigmoid }), "Token Choice");
        AssertRefused(Create(Router.TokenChoice(2), new MixtureConfig { HasChoiceBias = true }), "bias");
        AssertRefused(Create(Router.TokenChoice(2), new MixtureConfig { RoutedScale = 2 }), "factor");
    }

    [Fact]
    public void Portable_files_have_ONNX_s_own_operators_alone()
    {
        var model = Create(Router.TokenChoice(2));
        OnnxExport.Save(model, _folder["model.onnx"]);
        var written = ModelProto.Parser.ParseFrom(File.ReadAllBytes(_folder["model.onnx"]));
        Assert.All(written.Graph.Node, node => Assert.Equal("", node.Domain));
        Assert.Equal(17, Assert.Single(written.OpsetImport).Version);
        Assert.Equal(8, written.IrVersion);
        Assert.Contains(written.MetadataProps, entry => entry is { Key: "maximum_tokens", Value: "16" });
        Assert.Contains(written.MetadataProps, entry => entry.Key == "router" && entry.Value == model.Router.ToString());
    }

    [Fact]
    public void Weights_beside_the_file_give_the_same()
    {
        var model = Create(Router.TokenChoice(2));
        var rows = Encoded(model);
        var inside = TextModels.Run(model, _folder["inside.onnx"], rows, "Score");
        var outside = TextModels.Run(model, _folder["outside.onnx"], rows, "Score", new OnnxOptions { ExternalData = true });
        Assert.Equal(inside, outside);
        Assert.Equal(["inside.onnx", "outside.onnx", "outside.onnx.data"], _folder.Files.Order());
        var written = ModelProto.Parser.ParseFrom(File.ReadAllBytes(_folder["outside.onnx"]));
        var tokens = Assert.Single(written.Graph.Initializer, tensor => tensor.Name.StartsWith("tokens", StringComparison.Ordinal));
        Assert.Equal(TensorProto.Types.DataLocation.External, tokens.DataLocation);
        Assert.Equal("outside.onnx.data", tokens.ExternalData.Single(entry => entry.Key == "location").Value);
        // readers must know the numbers of shapes
        var shapes = written.Graph.Initializer.Where(tensor => tensor is { DataType: (int)TensorProto.Types.DataType.Int64, Dims: [< 9] });
        Assert.NotEmpty(shapes);
        Assert.All(shapes, tensor => Assert.Equal(TensorProto.Types.DataLocation.Default, tensor.DataLocation));
    }

    [Fact]
    public void More_than_one_file_can_hold_goes_beside_it()
    {
        var graph = new GraphBuilder();
        // 4 GB by its shape; what is read is less, so that the test need not write them
        var large = graph.Constant("large", [1L << 30], [new[] { 1f, 2f }]);
        graph.Output(large, "y", TensorProto.Types.DataType.Float, 1 << 30);
        OnnxWriter.Write(graph, _folder["model.onnx"], outside: null, []);
        var written = ModelProto.Parser.ParseFrom(File.ReadAllBytes(_folder["model.onnx"]));
        Assert.Equal(TensorProto.Types.DataLocation.External, Assert.Single(written.Graph.Initializer).DataLocation);
        Assert.Equal(2 * sizeof(float), new FileInfo(_folder["model.onnx.data"]).Length);
    }

    [Fact]
    public void Options_that_are_none_are_named()
    {
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => OnnxExport.Save(
            Create(Router.TokenChoice(2)), _folder["model.onnx"], new OnnxOptions { Operators = (OnnxOperators)7 }));
        Assert.Contains(nameof(OnnxOptions.Operators), error.Message, StringComparison.Ordinal);
    }

    private void AssertRefused(Model<EncodedText> model, string named)
    {
        var error = Assert.Throws<NotSupportedException>(() => OnnxExport.Save(model, _folder["model.onnx"], Operator));
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
        Assert.Contains(nameof(OnnxOperators.Portable), error.Message, StringComparison.Ordinal);
    }

    private static List<EncodedText> Encoded(Model<EncodedText> model) =>
        [.. TextModels.Texts(1000, longest: 14, seed: 4).Select(text => model.Input.Encode(text))];

    private Model<EncodedText> Create(Router router, MixtureConfig? mixture = null)
    {
        var input = TableTextInput.Create(new TextInputConfig { HashBits = 9, MaximumTokens = 16 });
        var encoder = new EncoderConfig
        {
            Width = 16, Layers = 2, Heads = 2, Experts = 6, ExpertWidth = 24, Router = router, Mixture = mixture,
        };
        return new Model<EncodedText>(
            _engine,
            new ModelConfig { Input = input.Config, Encoder = encoder, Head = new ClassesHeadConfig { Classes = 3 } },
            input,
            new ParameterStore(_engine, seed: 3));
    }
}
