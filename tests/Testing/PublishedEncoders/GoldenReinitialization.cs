using System.Text.Json;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Experts some of whose hidden units have been drawn anew or got noise, by given random numbers.</summary>
internal sealed class GoldenReinitialization(Engine engine, GoldenModel golden, string name, JsonElement json)
{
    private static readonly (FeedForwardPart Part, string Golden, string Own)[] Matrices =
    [
        (FeedForwardPart.First, "gate", "first"), (FeedForwardPart.Gate, "up", "gate"), (FeedForwardPart.Second, "down", "second"),
    ];

    private readonly int _hidden = json.GetProperty("dense_intermediate").GetInt32();
    private readonly int _units = json.GetProperty("intermediate").GetInt32();
    private readonly int _count = json.GetProperty("replaced_per_matrix").GetInt32();

    public void Compare()
    {
        Assert.Equal(_count, PartialReinitialization.Count(json.GetProperty("ratio").GetDouble(), _units));
        var (x, shape) = golden.Tensor("x")!.Value;
        for (var e = 0; e < json.GetProperty("experts").GetInt32(); e++)
        {
            var expert = $"expert.{e}";
            var values = Matrices.ToDictionary(m => $"network.{m.Own}.weight", m => Matrix(expert, m.Part, m.Golden));
            var store = new ParameterStore(engine, (parameter, _) => values[parameter]);
            var form = new FeedForwardSettings(Activation.Silu, HasGate: true, HasBias: false);
            var network = new DenseFeedForward(store, "network", shape[1], _units, 1f, form);
            using var tape = engine.BeginTape(training: false);
            var context = new ForwardContext(tape, new SequenceLayout([0, shape[0]]));
            var output = network.Forward(context, tape.Constant(x, shape)).ToArray();
            GoldenNumbers.Close(Values($"{expert}.output"), output, $"{name} {expert}");
        }
    }

    private float[] Matrix(string expert, FeedForwardPart part, string matrix)
    {
        var dense = golden.TransposedOrNull($"{name}.dense.{matrix}.weight") ?? golden.TransposedOrNull($"dense.{matrix}.weight")!;
        var width = dense.Length / _hidden;
        var values = new float[_units * width];
        HiddenUnits.Take(part, dense, _hidden, Integers($"{expert}.permutation"), values);
        var indices = Integers($"{expert}.{matrix}.indices");
        Assert.Equal(_count, indices.Length);
        CompareStatistics($"{expert}.{matrix}", PartialReinitialization.MeanAndDeviation(part, values, _units, indices));

        var replacement = golden.Tensor($"{name}.{expert}.{matrix}.replacement");
        var numbers = replacement?.Values ?? Values($"{expert}.{matrix}.noise");
        var byUnit = part == FeedForwardPart.Second ? GoldenNumbers.Transposed(numbers, indices.Length) : numbers;
        PartialReinitialization.Put(part, values, _units, indices, byUnit, adds: replacement is null);
        // the original adds in bfloat16
        if (replacement is null)
            values = Array.ConvertAll(values, RoundedToBFloat16);
        var expected = golden.TransposedOrNull($"{name}.{expert}.{matrix}.weight")!;
        Assert.Equal(expected, values);
        return values;
    }

    private void CompareStatistics(string what, (float Mean, float Deviation) actual)
    {
        foreach (var (scalar, value) in new[] { ("mean", actual.Mean), ("std", actual.Deviation) })
        {
            if (golden.Scalar($"{name}.{what}.{scalar}_float32") is { } exact)
                GoldenNumbers.Close(exact, value, 0.01, $"{name} {what} {scalar}");
            if (golden.Scalar($"{name}.{what}.{scalar}") is { } rounded)
                Assert.Equal(rounded, value, Math.Abs(rounded) / 128 + 1e-5);
        }
    }

    private float[] Values(string tensor) => golden.Tensor($"{name}.{tensor}")!.Value.Values;

    private int[] Integers(string tensor) => [.. Values(tensor).Select(v => (int)v)];

    private static float RoundedToBFloat16(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        return BitConverter.UInt32BitsToSingle((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000);
    }
}
