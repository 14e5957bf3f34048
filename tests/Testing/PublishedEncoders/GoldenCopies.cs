using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>A published encoder some of whose blocks have become copies with given routers.</summary>
internal sealed partial class GoldenCopies
{
    private static readonly (string Golden, string Own)[] Matrices =
    [
        ("fc1.weight", "w1"), ("fc2.weight", "w2"), ("gate.weight", "w1"), ("up.weight", "gate"), ("down.weight", "w2"),
    ];

    private static readonly (string Golden, string Own)[] Biases = [("fc1.bias", "b1"), ("fc2.bias", "b2")];

    private readonly PublishedFolder _folder;
    private readonly Engine _engine;
    private readonly GoldenModel _golden;
    private readonly int[] _blocks;
    private readonly int _experts;
    private readonly float[] _mask;
    private readonly TokenIdBatch _batch;

    public GoldenCopies(PublishedFolder folder, Engine engine, GoldenModel golden)
    {
        (_folder, _engine, _golden) = (folder, engine, golden);
        _blocks = [.. golden.Json.GetProperty("upcycled_layers").EnumerateArray().Select(b => b.GetInt32())];
        _experts = golden.Json.GetProperty("experts").GetInt32();
        var (ids, shape) = golden.Tensor("input_ids")!.Value;
        _mask = golden.Tensor("attention_mask")?.Values ?? [.. Enumerable.Repeat(1f, ids.Length)];
        int[] offsets = [.. Enumerable.Range(0, shape[0] + 1).Select(row => row * shape[1])];
        var layout = new SequenceLayout(offsets, _mask.Contains(0f) ? [.. _mask.Select(m => m > 0)] : null);
        _batch = new TokenIdBatch().Reset(layout, ids.Select(id => (int)id).ToArray(), default);
    }

    public void Compare()
    {
        var dense = Run("dense", null);
        foreach (var test in _golden.Json.GetProperty("cases").EnumerateObject().Where(c => c.Name != "dense"))
        {
            var kind = CaseKind().Match(test.Value.GetProperty("note").GetString()!);
            Assert.True(kind.Success, $"{test.Name}: {test.Value.GetProperty("note")}");
            var k = int.Parse(kind.Groups[1].Value, CultureInfo.InvariantCulture);
            var router = Router.TokenChoice(k, kind.Groups[2].Value == "normalized");
            var last = Run(test.Name, Upcycling.Copies(_experts, router) with { Blocks = _blocks });
            var difference = GoldenNumbers.LargestDifference(dense, last, i => _mask[i / (last.Length / _mask.Length)] > 0);
            var expected = _golden.Scalar($"{test.Name}.max_abs_difference_to_dense_real_tokens");
            GoldenNumbers.Close(expected!.Value, difference, dense.Max(Math.Abs), $"{test.Name}: difference to the dense model");
        }
    }

    [GeneratedRegex(@"k=(\d+), weights (normalized|raw)")]
    private static partial Regex CaseKind();

    private float[] Run(string name, Upcycling? upcycling)
    {
        var dense = _folder.Encoder with { Dropout = 0f, AttentionDropout = 0f };
        var config = upcycling?.Apply(dense) ?? dense;
        ParameterStore? made = null;
        var (embedding, encoder, next) = _folder.Load(
            _engine,
            0,
            store => (
                config.CreateTokenEmbedding(made = store),
                config.CreateEncoder(store),
                config is CausalConfig causal ? new NextTokenHead(store, causal) : null),
            upcycling);
        foreach (var block in upcycling is null ? [] : _blocks)
            CompareExperts(made!, block);
        foreach (var (parameter, role) in made!.All.Where(p => p.Role == ParameterRole.Router))
            parameter.Value.CopyFrom(_golden.TransposedOrNull($"router.{parameter.Name.Split('.')[1]}.weight")!);

        using var tape = _engine.BeginTape(training: false);
        var routed = new RoutedOutputs();
        var context = new ForwardContext(tape, _batch.Layout, observer: routed);
        var last = encoder.Forward(context, embedding.Forward(context, _batch)).Last.ToArray();
        foreach (var output in _golden.Json.GetProperty("cases").GetProperty(name).GetProperty("outputs").EnumerateArray())
        {
            var text = output.GetString()!;
            if (text == "last_hidden_state")
                Equal(name, text, last);
            else if (text == "logits")
                Equal(name, text, next!.Scores(tape, tape.Constant(last, last.Length / config.Width, config.Width)).ToArray());
            else if (routed.Values.TryGetValue(text.Replace("chosen", "top_experts").Replace("weights", "top_weights"), out var values))
                Equal(name, text, values);
            else
                Assert.Fail($"{name}: nothing is known of {text}.");
        }

        return last;
    }

    private void CompareExperts(ParameterStore store, int block)
    {
        foreach (var (golden, own) in Matrices)
            if (_golden.TransposedOrNull($"expert.{block}.{golden}") is { } expected)
                EachIs(expected, own);
        foreach (var (golden, own) in Biases)
            if (_golden.Tensor($"expert.{block}.{golden}") is var (expected, _))
                EachIs(expected, own);

        void EachIs(float[] expected, string own)
        {
            var values = store.All.Single(p => p.Parameter.Name == $"layers.{block}.moe.experts.{own}").Parameter.Value.ToArray();
            Assert.Equal(_experts * expected.Length, values.Length);
            Assert.All(values.Chunk(expected.Length), expert => Assert.Equal(expected, expert));
        }
    }

    private void Equal(string name, string output, float[] actual)
    {
        var expected = _golden.Tensor($"{name}.{output}")!.Value.Values;
        GoldenNumbers.Close(expected, actual, $"{name} {output}", i => _mask[i / (expected.Length / _mask.Length)] > 0);
    }
}
