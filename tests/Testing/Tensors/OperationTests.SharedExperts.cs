using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Tensors;

// What MoE layers have beside router and experts.
public abstract partial class OperationTests
{
    [SkippableFact]
    public void RouterLogitsTakeABias()
    {
        using var engine = CreateEngine();
        Input[] inputs = [Input.Random(1, 3, 5), Input.Random(2, 5, 4), Input.Random(3, 4)];
        var expected = new double[12];
        for (var t = 0; t < 3; t++)
            for (var e = 0; e < 4; e++)
                expected[t * 4 + e] = inputs[2].Values[e]
                    + Enumerable.Range(0, 5).Sum(d => inputs[0].Values[t * 5 + d] * inputs[1].Values[d * 4 + e]);

        TestNumbers.AssertClose(expected, Forward(engine, (tape, p) => tape.RouterLogits(p[0], p[1], p[2]), inputs));
        GradientCheck.Run(engine, (tape, p) => tape.RouterLogits(p[0], p[1], p[2]), inputs);
        using var refused = engine.BeginTape(training: false);
        Assert.Throws<ArgumentException>(() => refused.RouterLogits(
            refused.Constant(inputs[0].Values, 3, 5), refused.Constant(inputs[1].Values, 5, 4), refused.Constant(inputs[0].Values, 15)));
    }

    [SkippableTheory]
    [InlineData(false, false, true)]
    [InlineData(true, false, false)]
    [InlineData(true, true, false)]
    [InlineData(true, true, true)]
    public void ExpertsOfAllTokensAreAddedWithTheirGate(bool hasShared, bool hasSharedGate, bool sharesSecondBias)
    {
        const int Tokens = 4, Width = 5, Hidden = 3, Shared = 6, Experts = 2;
        const float Scale = 1.5f;
        using var engine = CreateEngine();
        var mixture = new MixtureConfig
        {
            SharedWidth = hasShared ? Shared : 0,
            HasSharedGate = hasSharedGate,
            HasRouterBias = true,
            SharesSecondBias = sharesSecondBias,
            RoutedScale = Scale,
        };
        var number = 10;
        var store = new ParameterStore(
            engine, (_, shape) => Array.ConvertAll(Input.Random(number++, shape).Values, v => v * 0.7f));
        // all experts, so that no choice is near a change
        var settings = mixture.Apply(new MoeSettings(Experts, new TokenChoice(Experts, normalizeWeights: false), 0, 0)
        {
            Expert = new FeedForwardSettings(Activation.Silu, HasGate: true),
        });
        var layer = new MoeLayer(store, "moe", 0, Width, Hidden, settings, 1f);
        var x = engine.CreateParameter("x", [Tokens, Width], Input.Random(1, Tokens, Width).Values);
        var layout = new SequenceLayout([0, Tokens]);
        Tensor Run(Tape tape) => layer.Forward(new ForwardContext(tape, layout), x);

        var p = store.All.ToDictionary(a => a.Parameter.Name["moe.".Length..], a => a.Parameter.Value.ToArray());
        var expected = new double[Tokens * Width];
        for (var t = 0; t < Tokens; t++)
        {
            var xD = x.Value.ToArray()[(t * Width)..((t + 1) * Width)];
            double[] logits = [.. Enumerable.Range(0, Experts).Select(e =>
                p["router.bias"][e] + xD.Select((v, d) => (double)v * p["router.weight"][d * Experts + e]).Sum())];
            var total = logits.Sum(Math.Exp);
            var sum = new double[Width];
            for (var e = 0; e < Experts; e++)
            {
                var y = Network(
                    xD, p["experts.w1"], p["experts.b1"], p["experts.gate"], p["experts.w2"], sharesSecondBias ? null : p["experts.b2"], Hidden, e);
                for (var d = 0; d < Width; d++)
                    sum[d] += Scale * Math.Exp(logits[e]) / total * y[d];
            }

            if (hasShared)
            {
                var y = Network(
                    xD,
                    p["shared.first.weight"],
                    p["shared.first.bias"],
                    p["shared.gate.weight"],
                    p["shared.second.weight"],
                    p["shared.second.bias"],
                    Shared,
                    0);
                var gate = hasSharedGate ? 1 / (1 + Math.Exp(-xD.Select((v, d) => (double)v * p["sharedGate.weight"][d]).Sum())) : 1;
                for (var d = 0; d < Width; d++)
                    sum[d] += gate * y[d];
            }

            for (var d = 0; d < Width; d++)
                expected[t * Width + d] = sum[d] + (p.TryGetValue("bias", out var bias) ? bias[d] : 0);
        }

        Assert.Equal(sharesSecondBias && !hasShared, p.ContainsKey("bias"));
        Assert.Equal(!sharesSecondBias, p.ContainsKey("experts.b2"));
        using (var tape = engine.BeginTape(training: false))
            TestNumbers.AssertClose(expected, Run(tape).ToArray());
        GradientCheck.Run(engine, Run, [x, .. store.All.Select(a => a.Parameter)]);

        static double[] Network(float[] xD, float[] w1, float[] b1, float[] gate, float[] w2, float[]? b2, int hidden, int e)
        {
            var h = new double[hidden];
            for (var f = 0; f < hidden; f++)
            {
                double z = b1[e * hidden + f], g = 0;
                for (var d = 0; d < Width; d++)
                {
                    z += (double)xD[d] * w1[(e * Width + d) * hidden + f];
                    g += (double)xD[d] * gate[(e * Width + d) * hidden + f];
                }

                h[f] = z / (1 + Math.Exp(-z)) * g;
            }

            return [.. Enumerable.Range(0, Width).Select(d =>
                (b2?[e * Width + d] ?? 0.0) + Enumerable.Range(0, hidden).Sum(f => h[f] * w2[(e * hidden + f) * Width + d]))];
        }
    }
}
