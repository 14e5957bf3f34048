using System.Text.Json;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>A feed-forward network cut into slices, by given sets of hidden units.</summary>
internal sealed class GoldenSlices
{
    private static readonly (FeedForwardPart Part, string Plain, string Gated, string Own, string Linear)[] Parts =
    [
        (FeedForwardPart.First, "fc1.weight", "gate.weight", "w1", "first.weight"),
        (FeedForwardPart.FirstBias, "fc1.bias", "gate.bias", "b1", "first.bias"),
        (FeedForwardPart.Gate, "", "up.weight", "gate", "gate.weight"),
        (FeedForwardPart.Second, "fc2.weight", "down.weight", "w2", "second.weight"),
        (FeedForwardPart.SecondBias, "fc2.bias", "down.bias", "bias", "second.bias"),
    ];

    private readonly Engine _engine;
    private readonly GoldenModel _golden;
    private readonly string _name;
    private readonly bool _isGated;
    private readonly int _hidden;
    private readonly int _experts;
    private readonly int _width;
    private readonly int _shared;
    private readonly FeedForwardSettings _form;
    private readonly float[] _x;
    private readonly int _tokens;
    private readonly int _columns;
    private readonly Dictionary<string, float[]> _values = [];

    public GoldenSlices(Engine engine, GoldenModel golden, string name, JsonElement json)
    {
        (_engine, _golden, _name) = (engine, golden, name);
        _isGated = json.GetProperty("gated").GetBoolean();
        _hidden = json.GetProperty("dense_intermediate").GetInt32();
        _experts = json.GetProperty("experts").GetInt32();
        _width = json.GetProperty("expert_intermediate").GetInt32();
        _shared = json.GetProperty("shared_intermediate").GetInt32();
        (_x, var shape) = golden.Tensor("x")!.Value;
        (_tokens, _columns) = (shape[0], shape[1]);
        var activation = json.GetProperty("activation").GetString() switch
        {
            "silu" => Activation.Silu,
            "gelu" => Activation.GeluErf,
            "relu" => Activation.Relu,
            var other => throw new InvalidDataException($"{name}: nothing is known of {other}."),
        };
        _form = new FeedForwardSettings(activation, _isGated, DensePart(FeedForwardPart.FirstBias) is not null)
        {
            HasSecondBias = DensePart(FeedForwardPart.SecondBias) is not null,
        };
    }

    public void Compare()
    {
        CutAndCompare();
        var dense = Run(new DenseFeedForward(Store(), "dense", _columns, _hidden, 1f, _form));
        Close("dense_output", dense);

        // under a uniform router all experts with E·p = 1
        _values["moe.router.weight"] = new float[_columns * _experts];
        var all = Run(Layer(Router.TokenChoice(_experts, normalizeWeights: false), _experts));
        Close("all_experts_output", all);
        GoldenNumbers.Close(dense, all, $"{_name}: all experts against the dense network");

        _values["moe.router.weight"] = _golden.TransposedOrNull($"{_name}.router.weight")!;
        for (var k = 1; k <= _experts; k++)
            if (_golden.Tensor($"{_name}.k{k}.chosen") is var (chosen, _))
                Compare(k, chosen, dense);
    }

    private void Compare(int k, float[] chosen, float[] dense)
    {
        Close($"k{k}.weight-k*normalized.output", Run(Layer(Router.TokenChoice(k, normalizeWeights: true), k)));
        var routed = new Unweighted(_experts);
        var byProbability = Run(Layer(Router.TokenChoice(k, normalizeWeights: false), _experts), routed);
        Close($"k{k}.weight-E*P.output", byProbability);
        for (var t = 0; t < _tokens; t++)
            Assert.Equal(chosen[(t * k)..((t + 1) * k)].Order(), routed.Outputs.Values["top_experts.0"][(t * k)..((t + 1) * k)].Order());

        // the part that always runs, and the chosen experts with weight 1
        float[] equal = [.. byProbability.Select((y, i) => y - routed.Weighted[i] + routed.Equal[i])];
        Close($"k{k}.weight-1.output", equal);
        var rms = Math.Sqrt(equal.Zip(dense, (a, b) => ((double)a - b) * (a - b)).Average());
        if (_golden.Scalar($"{_name}.k{k}.weight-1.rms_difference_to_dense") is { } expected)
            GoldenNumbers.Close(expected, rms, 1, $"{_name} k = {k}: difference to the dense network");
    }

    // Cuts the dense network by the sets of units, and compares every part with what the golden has.
    private void CutAndCompare()
    {
        foreach (var (part, _, _, own, linear) in Parts)
        {
            if (DensePart(part) is not { } dense)
                continue;
            _values["dense." + linear] = dense;
            if (part == FeedForwardPart.SecondBias)
            {
                _values[_shared > 0 ? "moe.shared.second.bias" : "moe.bias"] = dense;
                continue;
            }

            _values["moe.experts." + own] = [.. Enumerable.Range(0, _experts).SelectMany(e => Cut($"expert.{e}"))];
            if (_shared > 0)
                _values["moe.shared." + linear] = Cut("shared");

            float[] Cut(string slice)
            {
                int[] units = [.. _golden.Tensor($"{_name}.{slice}.indices")!.Value.Values.Select(u => (int)u)];
                Assert.Equal(slice == "shared" ? _shared : _width, units.Length);
                var values = new float[dense.Length / _hidden * units.Length];
                HiddenUnits.Take(part, dense, _hidden, units, values);
                Assert.Equal(Tensor(slice, part), values);
                return values;
            }
        }
    }

    private float[]? DensePart(FeedForwardPart part) => Tensor("dense", part);

    private float[]? Tensor(string of, FeedForwardPart part)
    {
        var names = Parts.Single(p => p.Part == part);
        var name = $"{_name}.{of}.{(_isGated ? names.Gated : names.Plain)}";
        return part is FeedForwardPart.FirstBias or FeedForwardPart.SecondBias
            ? _golden.Tensor(name)?.Values
            : _golden.TransposedOrNull(name);
    }

    private ParameterStore Store() => new(_engine, (name, _) => _values[name]);

    private MoeLayer Layer(Router router, float scale)
    {
        var mixture = new MixtureConfig { SharedWidth = _shared, SharesSecondBias = true, RoutedScale = scale };
        var settings = mixture.Apply(new MoeSettings(_experts, router.CreatePolicy(), 0, 0) { Expert = _form });
        return new MoeLayer(Store(), "moe", 0, _columns, _width, settings, 1f);
    }

    private float[] Run(IFeedForward network, IRoutingObserver? observer = null)
    {
        using var tape = _engine.BeginTape(training: false);
        var context = new ForwardContext(tape, new SequenceLayout([0, _tokens]), observer);
        return network.Forward(context, tape.Constant(_x, _tokens, _columns)).ToArray();
    }

    private void Close(string output, float[] actual) =>
        GoldenNumbers.Close(_golden.Tensor($"{_name}.{output}")!.Value.Values, actual, $"{_name} {output}");

    /// <summary>The sum over the chosen experts, as it is weighted and with weight 1.</summary>
    private sealed class Unweighted(float scale) : IRoutingObserver
    {
        public RoutedOutputs Outputs { get; } = new();

        public float[] Weighted { get; private set; } = [];

        public float[] Equal { get; private set; } = [];

        public void OnRouted(RoutedLayer layer)
        {
            Outputs.OnRouted(layer);
            var weights = layer.Tape.Scale(layer.Tape.CombineWeights(layer.LogitsTE, layer.Plan), scale);
            var ones = layer.Tape.Constant([.. Enumerable.Repeat(1f, layer.Plan.Pairs)], layer.Plan.Pairs);
            Weighted = layer.Tape.GroupedExperts(layer.XTD, weights, layer.Plan, layer.Experts).ToArray();
            Equal = layer.Tape.GroupedExperts(layer.XTD, ones, layer.Plan, layer.Experts).ToArray();
        }
    }
}
