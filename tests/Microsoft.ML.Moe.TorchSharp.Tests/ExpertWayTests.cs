using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Torch;
using TorchSharp;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>All ways to run the experts give the same, outputs and gradients.</summary>
public sealed class ExpertWayTests
{
    private const int Tokens = 40;
    private const int Width = 16;
    private const int Hidden = 24;
    private const int Experts = 4;

    public static TheoryData<string, bool> WaysAndPrecisions
    {
        get
        {
            var data = new TheoryData<string, bool>();
            foreach (var way in Enum.GetValues<ExpertWay>())
            {
                data.Add(way.ToString(), true);
                if (way != ExpertWay.Grouped)
                    data.Add(way.ToString(), false);
            }

            return data;
        }
    }

    [SkippableTheory]
    [MemberData(nameof(WaysAndPrecisions))]
    public void AgreesWithTheManagedEngine(string name, bool inBFloat16)
    {
        var way = Enum.Parse<ExpertWay>(name);
        using var torch = TestDevice.CreateEngine(inBFloat16 ? TrainingPrecision.BFloat16 : TrainingPrecision.Full);
        Skip.If(way == ExpertWay.Grouped && !GroupedProduct.Works(torch.Device), "The grouped product does not work on this device.");
        torch.ExpertWay = way;
        using var managed = new ManagedEngine(1);
        foreach (var policy in new RoutingPolicy[]
        {
            new TokenChoice(2, normalizeWeights: true),
            new Unified(0.2),
            new GlobalWorkspace(new ExpertChoice(1), 1.2, 3),
        })
        {
            foreach (var (hasBias, hasGate) in new[] { (true, false), (false, true), (true, true) })
            {
                var (expected, actual) = (Run(managed), Run(torch));
                for (var i = 0; i < expected.Count; i++)
                {
                    if (inBFloat16)
                        AssertNear(expected[i], actual[i]);
                    else
                        TestNumbers.AssertClose(Reference.Doubles(expected[i]), actual[i], 1e-5);
                }

                List<float[]> Run(Engine engine) => Layer(engine, policy, hasBias, hasGate);
            }
        }
    }

    [SkippableFact]
    public void GroupedProductWorks()
    {
        using var engine = TestDevice.CreateEngine();
        Assert.True(GroupedProduct.Works(engine.Device));
    }

    [SkippableFact]
    public void GroupedProductAsksForRowsOfSixteenBytes()
    {
        Assert.True(GroupedProduct.Fits(24));
        Assert.False(GroupedProduct.Fits(12));
    }

    [SkippableFact]
    public void ProcessorsGroupedProductIsNotOneLaunch()
    {
        TestDevice.SkipWithoutLibrary();
        using var engine = new TorchEngine();
        Assert.False(GroupedProduct.IsOneLaunch(engine.Device));
    }

    /// <summary>A layer's output and the gradients of all that it is made of.</summary>
    private static List<float[]> Layer(Engine engine, RoutingPolicy policy, bool hasBias, bool hasGate)
    {
        var seed = 0;
        Parameter New(float spread, params int[] shape) =>
            engine.CreateParameter($"p{++seed}", shape, TestNumbers.Normal(seed, TestNumbers.Product(shape), spread));
        Parameter[] p =
        [
            New(1f, Tokens, Width),
            New(1f, Tokens, Experts),
            New(0.3f, Experts, Width, Hidden),
            New(0.3f, Experts, Hidden, Width),
            New(1f, Experts, Hidden),
            New(1f, Experts, Width),
            New(0.3f, Experts, Width, Hidden),
        ];
        using var tape = engine.BeginTape(training: true);
        var plan = tape.Route(p[1], policy, new SequenceLayout([0, 3, 3, 25, Tokens]));
        var experts = new Experts(
            p[2],
            hasBias ? p[4].Value : null,
            p[3],
            hasBias ? p[5].Value : null,
            Activation.Silu,
            hasGate ? p[6].Value : null);
        var y = tape.GroupedExperts(p[0], tape.CombineWeights(p[1], plan), plan, experts);
        List<float[]> values = [y.ToArray()];
        tape.Backward(tape.CrossEntropy(y, TestNumbers.Indices(8, Tokens, Width), []));
        foreach (var parameter in p)
        {
            var gradient = new float[parameter.Value.Length];
            parameter.Value.CopyGradientTo(gradient);
            values.Add(gradient);
        }

        return values;
    }

    private static void AssertNear(float[] expected, float[] actual)
    {
        var size = Math.Sqrt(expected.Sum(e => Math.Pow(e, 2)));
        var error = Math.Sqrt(expected.Zip(actual, (e, a) => Math.Pow(e - a, 2)).Sum());
        Assert.True(error <= 0.03 * size, $"Differs by {error / size}.");
    }
}
