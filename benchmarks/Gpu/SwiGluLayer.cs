using Microsoft.ML.Moe.Benchmarks.Cases;
using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Benchmarks.Gpu;

/// <summary>
/// A MoE layer with SwiGLU experts (silu(x·W1) ∘ x·WGate)·W2 (Shazeer 2020, "GLU variants improve Transformer") and its input, on an
/// engine of its own; made of the operations that the library's own layers are made of. The library scores in single precision always,
/// so a forward pass in bfloat16 is that of a training step: it rounds the weights, and keeps what a backward pass would need.
/// </summary>
internal sealed class SwiGluLayer : IDisposable
{
    private readonly Engine _engine;
    private readonly bool _inBFloat16;
    private readonly Parameter _xTD;
    private readonly Parameter _routerDE;
    private readonly Parameter _w1EDF;
    private readonly Parameter _gateEDF;
    private readonly Parameter _w2EFD;

    public SwiGluLayer(MoeShape shape, TorchDevice device)
    {
        Shape = shape;
        // A few tokens are a step of decoding, and they compete; many are sequences as elsewhere.
        Layout = shape.Tokens <= MoeShape.SequenceLength ? shape.OneSequence : shape.Sequences;
        TokenChoice = new TokenChoice(shape.ExpertsPerToken, normalizeWeights: true);
        _engine = device.CreateEngine();
        _inBFloat16 = device.InBFloat16;
        _xTD = Values.Input(_engine, shape.Tokens, shape.Width);
        _routerDE = Weight("router", 1, shape.Width, shape.Experts);
        _w1EDF = Weight("w1", 2, shape.Experts, shape.Width, shape.HiddenWidth);
        _gateEDF = Weight("gate", 3, shape.Experts, shape.Width, shape.HiddenWidth);
        _w2EFD = Weight("w2", 4, shape.Experts, shape.HiddenWidth, shape.Width);
        using var tape = _engine.BeginTape(training: false);
        Logits = new RouterLogits(shape, tape.RouterLogits(_xTD, _routerDE).ToArray());
    }

    public MoeShape Shape { get; }

    /// <summary>Sequences of the input.</summary>
    public SequenceLayout Layout { get; }

    /// <summary>Token Choice with the shape's k.</summary>
    public TokenChoice TokenChoice { get; }

    /// <summary>Router logits of the input.</summary>
    public RouterLogits Logits { get; }

    /// <summary>Number of weights.</summary>
    public long Weights => 3L * Shape.Experts * Shape.Width * Shape.HiddenWidth + (long)Shape.Width * Shape.Experts;

    /// <summary>Least work of a forward pass; an expert without tokens is not read. Weights lie in single precision in any case.</summary>
    public Work WorkOf(RoutingPolicy policy, bool training = false)
    {
        var plan = Logits.Plan(policy, Layout, training);
        var busyExperts = Enumerable.Range(0, plan.Experts).Count(e => plan.ExpertOffsets[e + 1] > plan.ExpertOffsets[e]);
        var expertWeights = 3.0 * Shape.Width * Shape.HiddenWidth;
        var routerWeights = (double)Shape.Width * Shape.Experts;
        return new Work(
            2 * (plan.Pairs * expertWeights + Shape.Tokens * routerWeights),
            4 * (busyExperts * expertWeights + routerWeights + 2.0 * Shape.Tokens * Shape.Width),
            _inBFloat16);
    }

    /// <summary>A forward pass with a policy.</summary>
    public Action Forward(RoutingPolicy policy, bool training = false) => () =>
    {
        using var tape = BeginTape(training);
        Forward(tape, policy);
    };

    /// <summary>An optimiser for <see cref="Step"/>.</summary>
    public Optimizer CreateOptimizer() =>
        _engine.CreateAdamW([new ParameterGroup([_routerDE, _w1EDF, _gateEDF, _w2EFD], 1e-4f, 0.01f)]);

    /// <summary>
    /// Forward pass, cross-entropy of the output taken as class scores, backward pass to weights and input, and a step of AdamW.
    /// </summary>
    public void Step(Optimizer optimizer)
    {
        using var tape = _engine.BeginTape(training: true);
        tape.Backward(tape.CrossEntropy(Forward(tape, TokenChoice), new int[Shape.Tokens], []));
        optimizer.Step(1f);
    }

    public void Dispose() => _engine.Dispose();

    private Tape BeginTape(bool training) => _engine.BeginTape(training || _inBFloat16);

    private Tensor Forward(Tape tape, RoutingPolicy policy)
    {
        var logitsTE = tape.RouterLogits(_xTD, _routerDE);
        var plan = tape.Route(logitsTE, policy, Layout);
        return tape.GroupedExperts(
            _xTD, tape.CombineWeights(logitsTE, plan), plan, new Experts(_w1EDF, null, _w2EFD, null, Activation.Silu, _gateEDF));
    }

    private Parameter Weight(string name, int seed, params int[] shape)
    {
        var count = shape.Aggregate((a, b) => checked(a * b));
        return _engine.CreateParameter(name, shape, Values.Random(count, 1f / MathF.Sqrt(shape[^2]), seed));
    }
}
