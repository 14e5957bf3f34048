using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Benchmarks.References;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Onnx;
using Microsoft.ML.Moe.Onnx.Graph;
using Microsoft.ML.Moe.Onnx.Tracing;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using DataType = Microsoft.ML.Moe.Onnx.Format.TensorProto.Types.DataType;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>A MoE layer with its input on an engine of its own.</summary>
internal sealed class MoeBench : IDisposable
{
    private readonly ManagedEngine _engine;
    private readonly ExchangeablePolicy _policy;
    private readonly Parameter _xTD;
    private readonly MoeLayer _layer;
    private readonly ParameterStore _store;

    public MoeBench(MoeShape shape, int threads)
    {
        Shape = shape;
        TokenChoice = new TokenChoice(shape.ExpertsPerToken, normalizeWeights: true);
        _engine = new ManagedEngine(threads);
        _policy = new ExchangeablePolicy(TokenChoice);
        _xTD = Values.Input(_engine, shape.Tokens, shape.Width);
        _store = Values.Store(_engine);
        _layer = new MoeLayer(_store, "moe", 0, shape.Width, shape.HiddenWidth, new MoeSettings(shape.Experts, _policy, 0f, 0f), 1f);
        var routerDE = _store.All.Single(p => p.Parameter.Name.EndsWith("router.weight", StringComparison.Ordinal)).Parameter;
        using var tape = _engine.BeginTape(training: false);
        Logits = new RouterLogits(shape, tape.RouterLogits(_xTD, routerDE).ToArray());
    }

    public MoeShape Shape { get; }

    /// <summary>Token Choice with the shape's k.</summary>
    public TokenChoice TokenChoice { get; }

    public Engine Engine => _engine;

    public Parameter Input => _xTD;

    /// <summary>Router logits of the input.</summary>
    public RouterLogits Logits { get; }

    /// <summary>A forward pass with a policy.</summary>
    public Action Forward(RoutingPolicy policy, SequenceLayout layout, bool training = false) => () =>
    {
        _policy.Policy = policy;
        using var tape = _engine.BeginTape(training);
        _layer.Forward(new ForwardContext(tape, layout), _xTD);
    };

    /// <summary>The output with Token Choice.</summary>
    public float[] Output()
    {
        _policy.Policy = TokenChoice;
        using var tape = _engine.BeginTape(training: false);
        return _layer.Forward(new ForwardContext(tape, Shape.Sequences), _xTD).ToArray();
    }

    /// <summary>Weights, input and output with Token Choice, as PyTorch reads them.</summary>
    public MoeLayerFile Write() => new(
    [
        NamedValues.Of(_xTD),
        .. _store.All.Select(p => NamedValues.Of(p.Parameter)),
        new NamedValues("output", [Shape.Tokens, Shape.Width], Output()),
        new NamedValues("expertsPerToken", [1], [Shape.ExpertsPerToken]),
    ]);

    /// <summary>Writes the layer with Token Choice as the export to ONNX writes it, for any number of tokens.</summary>
    public void WriteOnnx(string path, OnnxOperators operators)
    {
        var graph = new GraphBuilder();
        var input = graph.Input("x", DataType.Float, "tokens", Shape.Width);
        var parameters = _store.All.Select(p => p.Parameter).ToList();
        var count = TracedRows.CountFor([.. parameters.SelectMany(parameter => parameter.Value.Shape.ToArray())]);
        // each row a sequence of one token: Token Choice looks at no other
        var layout = new SequenceLayout([.. Enumerable.Range(0, count + 1)]);
        var rows = new TracedRows { Count = count, Tokens = layout, Runtime = graph.SizeOf(input, 0) };
        using var tape = new OnnxTape(graph, rows, parameters.ToDictionary(p => p.Value, p => p.Name), operators);
        var context = new ForwardContext(tape, layout, policies: (_, _) => TokenChoice);
        var output = _layer.Forward(context, new TracedTensor(input, count, Shape.Width));
        graph.Output(tape.ValueOf(output), "y", DataType.Float, "tokens", Shape.Width);
        graph.RemoveUnused();
        OnnxWriter.Write(graph, path, outside: false, []);
    }

    /// <summary>Compares two policies on this layer.</summary>
    public PairedResult Compare(PairedRunner runner, RoutingPolicy policy, RoutingPolicy reference, SequenceLayout layout, bool training) =>
        runner.Compare(Forward(policy, layout, training), Forward(reference, layout, training));

    public void Dispose() => _engine.Dispose();
}
