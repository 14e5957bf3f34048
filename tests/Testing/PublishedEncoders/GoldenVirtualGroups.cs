using System.Text.Json;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>A feed-forward network cut into virtual groups.</summary>
internal sealed class GoldenVirtualGroups(Engine engine, GoldenModel golden, string name, JsonElement json)
{
    private readonly int _granularity = json.GetProperty("granularity").GetInt32();
    private readonly int _experts = json.GetProperty("experts").GetInt32();
    private readonly int _k = json.GetProperty("k").GetInt32();
    private readonly bool _isGated = json.GetProperty("gated").GetBoolean();
    private readonly bool _isNormalized = !json.GetProperty("router_pre_softmax").GetBoolean();
    private readonly string _activation = json.GetProperty("activation").GetString()!;

    // a squared ReLU is a ReLU with itself as its gate
    private bool IsSquared => _activation == "squared_relu";

    public void Compare()
    {
        var (x, shape) = golden.Tensor("x")!.Value;
        var (tokens, width) = (shape[0], shape[1]);
        var (first, gate) = Halves(golden.Tensor($"{name}.dense.fc1.weight")!.Value.Values, width);
        var hidden = first.Length / width;
        var firstBias = golden.Tensor($"{name}.dense.fc1.bias")?.Values;
        var config = new NomicBertConfig
        {
            VocabularySize = 1,
            Positions = 1,
            Width = width,
            Heads = 1,
            Layers = 1,
            DenseWidth = hidden,
            HasGate = gate is not null,
            HasFirstBias = firstBias is not null,
            HasSecondBias = golden.Tensor($"{name}.dense.fc2.bias") is not null,
            Activation = _activation switch
            {
                "silu" => Activation.Silu,
                "gelu" => Activation.GeluErf,
                "relu" or "squared_relu" => Activation.Relu,
                _ => throw new InvalidDataException($"{name}: nothing is known of {_activation}."),
            },
        };
        var form = config.FeedForward with { HasGateBias = false };
        var source = new ParameterSource("the dense network", Dense());
        var upcycling = Upcycling.VirtualGroups(_granularity, _experts, Router.TokenChoice(_k, _isNormalized));
        var store = new ParameterStore(
            engine, Weights.From(source, WeightRules.Identity(), derived: new UpcycledWeights(upcycling, config)));
        var settings = new MoeSettings(_experts, upcycling.Router.CreatePolicy(), 0, 0) { Expert = form };
        var layer = new MoeLayer(store, "layers.0.moe", 0, width, upcycling.ExpertWidth(hidden), settings, 1f);
        var parameters = store.All.ToDictionary(p => p.Parameter.Name["layers.0.moe.".Length..], p => p.Parameter.Value);
        CompareExperts(parameters, width);
        CompareRouters(parameters["router.weight"], width);

        var scale = VirtualGroups.Scale(_experts, _granularity, _k, _isNormalized);
        GoldenNumbers.Close(golden.Scalar($"{name}.scale")!.Value, scale, 1, $"{name} scale");
        var factor = VirtualGroups.WeightScale(scale, gate is not null);
        GoldenNumbers.Close(golden.Scalar($"{name}.weight_scale")!.Value, factor, 1, $"{name} weight scale");

        var layout = new SequenceLayout([0, tokens]);
        var dense = Run(new DenseFeedForward(DenseStore(), "layers.0.feedForward", width, hidden, 1f, form));
        Close("dense_output", dense);
        parameters["router.weight"].CopyFrom(new float[width * _experts]);
        var uniform = Run(layer);
        if (_k % _granularity == 0)
            Close("moe_output_uniform_router", uniform);
        parameters["router.weight"].CopyFrom(golden.TransposedOrNull($"{name}.router_after")!);
        var routed = new RoutedOutputs();
        var output = Run(layer, routed);
        Close("moe_output", output);
        CloseScalar("max_abs_difference_to_dense", output);
        CloseScalar("uniform_router.max_abs_difference_to_dense", uniform);
        var expected = GoldenNumbers.ByToken(Values("chosen"), Values("weights"), tokens);
        var actual = GoldenNumbers.ByToken(routed.Values["top_experts.0"], routed.Values["top_weights.0"], tokens);
        for (var t = 0; t < tokens; t++)
        {
            Assert.Equal(expected[t].Keys.Order(), actual[t].Keys.Order());
            Assert.All(expected[t], e => Assert.Equal(e.Value, actual[t][e.Key], 1e-4));
        }

        // without the scale and the second bias
        foreach (var (part, tensor) in parameters)
            if (part == "experts.b2")
                tensor.CopyFrom(new float[tensor.Length]);
            else if (part.StartsWith("experts.", StringComparison.Ordinal))
                tensor.CopyFrom(Array.ConvertAll(tensor.ToArray(), v => v / factor));
        Close("moe_output_unscaled_without_fc2_bias", Run(layer));

        float[] Run(IFeedForward network, IRoutingObserver? observer = null)
        {
            using var tape = engine.BeginTape(training: false);
            return network.Forward(new ForwardContext(tape, layout, observer), tape.Constant(x, tokens, width)).ToArray();
        }

        void CloseScalar(string scalar, float[] values) => GoldenNumbers.Close(
            golden.Scalar($"{name}.{scalar}")!.Value,
            GoldenNumbers.LargestDifference(dense, values),
            values.Max(Math.Abs),
            $"{name} {scalar}");

        IEnumerable<Parameter> Dense()
        {
            yield return Create("first.weight", first, width, hidden);
            if (gate is not null)
                yield return Create("gate.weight", gate, width, hidden);
            if (firstBias is not null)
                yield return Create("first.bias", firstBias, hidden);
            yield return Create("second.weight", golden.TransposedOrNull($"{name}.dense.fc2.weight")!, hidden, width);
            if (golden.Tensor($"{name}.dense.fc2.bias") is var (secondBias, _))
                yield return Create("second.bias", secondBias, width);
        }

        Parameter Create(string part, float[] values, params int[] size) =>
            engine.CreateParameter("layers.0.feedForward." + part, size, values);

        ParameterStore DenseStore() => new(engine, Weights.From(source, WeightRules.Identity()));
    }

    private float[] Values(string output) => golden.Tensor($"{name}.{output}")!.Value.Values;

    private void Close(string output, float[] actual) => GoldenNumbers.Close(Values(output), actual, $"{name} {output}");

    /// <summary>W1 and gate out of rows that stand one after the other, transposed.</summary>
    private (float[] First, float[]? Gate) Halves(float[] rows, int width)
    {
        if (!_isGated)
        {
            var single = GoldenNumbers.Transposed(rows, width);
            return (single, IsSquared ? single : null);
        }

        var half = rows.Length / 2;
        return (GoldenNumbers.Transposed(rows[..half], width), GoldenNumbers.Transposed(rows[half..], width));
    }

    private void CompareExperts(Dictionary<string, Tensor> parameters, int width)
    {
        for (var e = 0; e < _experts; e++)
        {
            var (first, gate) = Halves(Values($"expert.{e}.fc1.weight"), width);
            Part("w1", first);
            Part("gate", gate);
            Part("b1", golden.Tensor($"{name}.expert.{e}.fc1.bias")?.Values);
            Part("w2", golden.TransposedOrNull($"{name}.expert.{e}.fc2.weight"));
            Part("b2", golden.Tensor($"{name}.expert.{e}.fc2.bias")?.Values);

            void Part(string part, float[]? expected)
            {
                Assert.Equal(expected is not null, parameters.ContainsKey("experts." + part));
                if (expected is not null)
                    GoldenNumbers.Close(
                        expected,
                        parameters["experts." + part].ToArray()[(e * expected.Length)..((e + 1) * expected.Length)],
                        $"{name} {part} of {e}");
            }
        }
    }

    private void CompareRouters(Tensor own, int width)
    {
        var before = golden.TransposedOrNull($"{name}.router_before")!;
        var after = golden.TransposedOrNull($"{name}.router_after")!;
        var repeated = new float[_experts];
        for (var d = 0; d < width; d++)
        {
            VirtualGroups.Repeat(before.AsSpan(d * _experts, _experts / _granularity), repeated);
            Assert.Equal(after[(d * _experts)..((d + 1) * _experts)], repeated);
        }

        // so are ours
        foreach (var row in own.ToArray().Chunk(_experts))
            for (var e = 0; e < _experts; e++)
                Assert.Equal(row[e / _granularity * _granularity], row[e]);
    }
}
