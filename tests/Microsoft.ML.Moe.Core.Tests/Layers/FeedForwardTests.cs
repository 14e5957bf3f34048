using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Tensors;

namespace Microsoft.ML.Moe.Tests.Layers;

/// <summary>The forms of feed-forward networks, dense and as a mixture of one expert, against a direct loop.</summary>
public sealed class FeedForwardTests
{
    private const int Tokens = 7;
    private const int Width = 6;
    private const int Hidden = 5;

    public static TheoryData<Activation, bool, bool> Forms => new()
    {
        { Activation.GeluTanh, false, true },
        { Activation.GeluErf, true, false },
        { Activation.Silu, true, false },
        { Activation.Silu, true, true },
        { Activation.Relu, false, false },
    };

    [Theory]
    [MemberData(nameof(Forms))]
    public void DenseNetworkEqualsALoop(Activation activation, bool hasGate, bool hasBias)
    {
        using var engine = new ManagedEngine(2);
        var (y, values) = Run(engine, store => new DenseFeedForward(store, "f", Width, Hidden, 1f, new(activation, hasGate, hasBias)));
        string[] expected = ["f.first.weight", "f.second.weight"];
        expected = hasBias ? [.. expected, "f.first.bias", "f.second.bias"] : expected;
        expected = hasGate ? [.. expected, "f.gate.weight"] : expected;
        Assert.Equal(expected.Order(StringComparer.Ordinal), values.Keys.Order(StringComparer.Ordinal));
        AssertEqualsALoop(
            activation,
            values["f.first.weight"],
            values.GetValueOrDefault("f.first.bias"),
            values["f.second.weight"],
            values.GetValueOrDefault("f.second.bias"),
            values.GetValueOrDefault("f.gate.weight"),
            y);
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void MixtureOfOneExpertEqualsALoop(Activation activation, bool hasGate, bool hasBias)
    {
        using var engine = new ManagedEngine(2);
        var settings = new MoeSettings(1, new TokenChoice(1, normalizeWeights: true), 0f, 0f)
        {
            Expert = new FeedForwardSettings(activation, hasGate, hasBias),
        };
        var (y, values) = Run(engine, store => new MoeLayer(store, "m", 0, Width, Hidden, settings, 1f));
        Assert.Equal(hasGate, values.ContainsKey("m.experts.gate"));
        Assert.Equal(hasBias, values.ContainsKey("m.experts.b1"));
        AssertEqualsALoop(
            activation,
            values["m.experts.w1"],
            values.GetValueOrDefault("m.experts.b1"),
            values["m.experts.w2"],
            values.GetValueOrDefault("m.experts.b2"),
            values.GetValueOrDefault("m.experts.gate"),
            y);
    }

    private static float[] Input => TestNumbers.Normal(1, Tokens * Width);

    private static (float[] Y, Dictionary<string, float[]> Values) Run(Engine engine, Func<ParameterStore, IFeedForward> create)
    {
        // Biases begin at zero; here they shall be seen.
        var store = new ParameterStore(engine, 3, (name, _, values) => name.Contains(".b", StringComparison.Ordinal)
            ? TestNumbers.Normal(9, values.Length)
            : values);
        var layer = create(store);
        using var tape = engine.BeginTape(training: false);
        var context = new ForwardContext(tape, new SequenceLayout([0, Tokens]));
        var y = layer.Forward(context, tape.Constant(Input, Tokens, Width)).ToArray();
        return (y, store.All.ToDictionary(p => p.Parameter.Name, p => p.Parameter.Value.ToArray()));
    }

    private static void AssertEqualsALoop(
        Activation activation, float[] w1, float[]? b1, float[] w2, float[]? b2, float[]? gate, float[] y)
    {
        var hidden = Reference.Linear(Input, w1, b1, Tokens, Width, Hidden, activation);
        if (gate is not null)
            hidden = [.. hidden.Zip(Reference.Linear(Input, gate, [], Tokens, Width, Hidden), (h, g) => h * g)];
        float[] narrow = [.. hidden.Select(h => (float)h)];
        TestNumbers.AssertClose(Reference.Linear(narrow, w2, b2, Tokens, Hidden, Width), y);
    }
}
