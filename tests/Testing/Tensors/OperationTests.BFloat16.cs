using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>Operations on parameters in bfloat16 are those on the same numbers in single precision.</summary>
public abstract partial class OperationTests
{
    [SkippableFact]
    public void ParametersInBFloat16AreMultipliedInSinglePrecision()
    {
        using var engine = CreateEngine();
        var (weight, singleWeight) = InBoth(engine, [20, 34], seed: 1);
        var (table, singleTable) = InBoth(engine, [9, 20], seed: 2);
        var (w1, singleW1) = InBoth(engine, [3, 34, 40], seed: 3);
        var (w2, singleW2) = InBoth(engine, [3, 40, 34], seed: 4);
        var (gate, singleGate) = InBoth(engine, [3, 34, 40], seed: 5);
        var (router, singleRouter) = InBoth(engine, [34, 3], seed: 6);
        var x = engine.CreateParameter("x", [30, 20], TestNumbers.Normal(7, 30 * 20));
        var indices = TestNumbers.Indices(8, 30, 9);

        var expected = Run(singleWeight, singleTable, new Experts(singleW1, null, singleW2, null, Activation.Silu, singleGate), singleRouter);
        var actual = Run(weight, table, new Experts(w1, null, w2, null, Activation.Silu, gate), router);

        Assert.Equal(ElementType.BFloat16, weight.Value.ElementType);
        TestNumbers.AssertClose(Reference.Doubles(expected), actual, 1e-6);

        float[] Run(Parameter linear, Parameter rows, Experts experts, Parameter routing)
        {
            x.IsFrozen = true;
            x.IsFrozen = false;
            using var tape = engine.BeginTape(training: true);
            var bags = new RaggedIndices([0, 10, 10, 30], indices, TestNumbers.Normal(9, 30));
            var bag = tape.EmbeddingBag(rows, bags).ToArray();
            var hidden = tape.Linear(tape.Add(x, tape.Embedding(rows, indices)), linear, activation: Activation.Tanh);
            var logits = tape.RouterLogits(hidden, routing);
            var plan = tape.Route(logits, new TokenChoice(2, normalizeWeights: true), new SequenceLayout([0, 30]));
            var y = tape.GroupedExperts(hidden, tape.CombineWeights(logits, plan), plan, experts);
            tape.Backward(tape.CrossEntropy(tape.Scale(y, 0.01f), new int[30], []));
            var gradient = new float[x.Value.Length];
            x.Value.CopyGradientTo(gradient);
            Assert.Contains(gradient, g => Math.Abs(g) > 1e-5);
            return [.. bag, .. logits.ToArray(), .. tape.Scale(y, 0.01f).ToArray(), .. gradient];
        }
    }

    [SkippableFact]
    public void PartsOfValuesAreThoseOfTheWhole()
    {
        using var engine = CreateEngine();
        var (stored, single) = InBoth(engine, [3, 8, 5], seed: 1);
        var expected = single.Value.ToArray();
        foreach (var parameter in new[] { stored, single })
        {
            foreach (var (first, count) in new[] { (0, 120), (0, 40), (40, 40), (37, 50), (119, 1), (120, 0) })
            {
                var part = new float[count];
                parameter.Value.CopyTo(first, part);
                Assert.Equal(expected.AsSpan(first, count).ToArray(), part);
            }

            Assert.Throws<ArgumentOutOfRangeException>(() => parameter.Value.CopyTo(100, new float[21]));
            Assert.Throws<ArgumentOutOfRangeException>(() => parameter.Value.CopyTo(-1, new float[2]));
        }
    }

    [SkippableFact]
    public void FactorsOfBagsLearnFromTablesInBFloat16()
    {
        using var engine = CreateEngine();
        var (table, singleTable) = InBoth(engine, [9, 600], seed: 2);
        var bags = new RaggedIndices([0, 2, 5], TestNumbers.Indices(8, 5, 9), TestNumbers.Normal(9, 5));

        var (expected, actual) = (Gradient(singleTable), Gradient(table));

        Assert.Contains(expected, g => Math.Abs(g) > 1e-3);
        TestNumbers.AssertClose(Reference.Doubles(expected), actual, 1e-5);

        float[] Gradient(Parameter rows)
        {
            var factors = engine.CreateParameter("factors", [5], [1f, 2f, 3f, 4f, 5f]);
            using var tape = engine.BeginTape(training: true);
            tape.Backward(tape.CrossEntropy(tape.EmbeddingBag(rows, bags, factors), new int[2], []));
            var gradient = new float[5];
            factors.Value.CopyGradientTo(gradient);
            return gradient;
        }
    }

    [SkippableFact]
    public void ParametersInBFloat16AreFrozenAndKeepTheirBits()
    {
        using var engine = CreateEngine();
        var bits = new ushort[] { 0x3F80, 0xC000, 0x7F80, 0x0001, 0x7FC1, 0x8000 };
        var parameter = engine.CreateParameter("w", [2, 3], BFloat16Values.Copy(bits));

        Assert.Equal(bits, parameter.Value.ToBFloat16Array());
        Assert.Equal([1, -2, float.PositiveInfinity], parameter.Value.ToArray()[..3]);
        Assert.True(parameter.IsFrozen);
        Assert.Throws<InvalidOperationException>(() => parameter.IsFrozen = false);
        Assert.Throws<InvalidOperationException>(() => parameter.Value.CopyFrom(new float[6]));
        Assert.Throws<ArgumentException>(() => engine.CreateParameter("w", [2, 4], BFloat16Values.Copy(bits)));
        Assert.Throws<ArgumentException>(() => engine.CreateParameter("w", [6], BFloat16Values.Copy(bits)));
    }

    /// <summary>A parameter in bfloat16, and a frozen one with the same numbers in single precision.</summary>
    private static (Parameter Rounded, Parameter Single) InBoth(Engine engine, int[] shape, int seed)
    {
        var bits = new ushort[TestNumbers.Product(shape)];
        BFloat16.Round(TestNumbers.Normal(seed, bits.Length, 0.5f), bits);
        var values = new float[bits.Length];
        BFloat16.Widen(bits, values);
        var single = engine.CreateParameter("single", shape, values);
        single.IsFrozen = true;
        return (engine.CreateParameter("rounded", shape, BFloat16Values.Copy(bits)), single);
    }
}
