using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Tensors;

namespace Microsoft.ML.Moe.Tests.Routing.Reports;

public sealed class ExpertSimilarityTests : IDisposable
{
    private const int D = 3, F = 5;
    private readonly ManagedEngine _engine = new(1);

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void It_is_the_mean_cosine_of_a_plain_double_loop()
    {
        const int e = 4;
        var (w1, b1) = (Input.Random(1, e, D, F).Values, Input.Random(2, e, F).Values);
        var (w2, b2) = (Input.Random(3, e, F, D).Values, Input.Random(4, e, D).Values);
        float[][] tokens = [.. TestNumbers.Normal(5, 6 * D).Chunk(D)];

        var similarity = ExpertSimilarity.Of(_engine, Experts(w1, b1, w2, b2), tokens);

        for (var i = 0; i < e; i++)
            for (var j = 0; j < e; j++)
                Assert.Equal(tokens.Average(x => Cosine(Output(i, x), Output(j, x))), similarity[i][j], 1e-5);

        double[] Output(int expert, float[] x)
        {
            var hidden = Reference.Linear(x, Part(w1, expert), Part(b1, expert), 1, D, F, Activation.GeluTanh);
            return Reference.Linear([.. hidden.Select(h => (float)h)], Part(w2, expert), Part(b2, expert), 1, F, D);
        }

        static float[] Part(float[] all, int expert) => all[(expert * all.Length / e)..((expert + 1) * all.Length / e)];
    }

    [Fact]
    public void Twins_are_alike_and_opposites_are_opposite_and_silence_is_neither()
    {
        float[] w1 = Input.Random(1, D, F).Values, w2 = Input.Random(2, F, D).Values;
        float[] w1EDF = [.. w1, .. w1, .. w1, .. w1];
        float[] w2EFD = [.. w2, .. w2, .. w2.Select(w => -w), .. new float[F * D]];

        var similarity = ExpertSimilarity.Of(_engine, Experts(w1EDF, null, w2EFD, null), [[1, -2, 3], [0.1f, 0.2f, -5]]);

        Assert.Equal(1, similarity[0][1], 1e-6);
        Assert.Equal(-1, similarity[0][2], 1e-6);
        Assert.Equal(0, similarity[0][3]);
        Assert.All(Enumerable.Range(0, 4), i => Assert.Equal(1, similarity[i][i]));
    }

    [Fact]
    public void The_number_of_tokens_falls_with_the_square_of_the_experts_but_never_to_none()
    {
        var few = ExpertSimilarity.TokensWithinBounds(Experts(new float[4 * D * F], null, new float[4 * D * F], null));
        var many = ExpertSimilarity.TokensWithinBounds(Experts(new float[8 * D * F], null, new float[8 * D * F], null));

        Assert.InRange(few / (double)many, 3.9, 4.1);
        using var tape = _engine.BeginTape(training: false);
        var (w1, w2) = (tape.Constant(new float[70_000], 1, 70_000, 1), tape.Constant(new float[70_000], 1, 1, 70_000));
        var wide = new Experts(w1, null, w2, null, Activation.GeluTanh);
        Assert.InRange(ExpertSimilarity.TokensWithinBounds(wide), 1, int.MaxValue);
    }

    private Experts Experts(float[] w1, float[]? b1, float[] w2, float[]? b2)
    {
        var e = w1.Length / D / F;
        return new Experts(
            Parameter("w1", w1, e, D, F),
            b1 is null ? null : Parameter("b1", b1, e, F),
            Parameter("w2", w2, e, F, D),
            b2 is null ? null : Parameter("b2", b2, e, D),
            Activation.GeluTanh);
    }

    private Tensor Parameter(string name, float[] values, params int[] shape) => _engine.CreateParameter(name, shape, values).Value;

    private static double Cosine(double[] x, double[] y) => Dot(x, y) / Math.Sqrt(Dot(x, x) * Dot(y, y));

    private static double Dot(double[] x, double[] y) => x.Zip(y, (a, b) => a * b).Sum();
}
