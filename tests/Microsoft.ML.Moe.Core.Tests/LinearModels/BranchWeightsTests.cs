using Microsoft.ML.Moe.LinearModels;
using Xunit;

namespace Microsoft.ML.Moe.Tests.LinearModels;

public class BranchWeightsTests
{
    private const int Classes = 5;

    [Fact]
    public void KnownWeights_AreFoundAgain()
    {
        var (branches, labels) = Draw(20_000, [1.4, 0.5], seed: 1);
        var weights = Fit(branches, labels, [1, 1]);
        Assert.Equal(1.4, weights[0], 0.1);
        Assert.Equal(0.5, weights[1], 0.1);
    }

    [Fact]
    public void AUselessBranch_CountsNothing()
    {
        // the second branch's truth is the opposite of what it says
        var (branches, labels) = Draw(4000, [1.2, -0.3, 0.6], seed: 2);
        var weights = Fit(branches, labels, [1, 1, 1]);
        Assert.Equal(0, weights[1]);
        Assert.Equal(1.2, weights[0], 0.2);
        Assert.Equal(0.6, weights[2], 0.2);
    }

    [Fact]
    public void FewRows_StayNearTheAssumption()
    {
        var (branches, labels) = Draw(4000, [1.5, 0.1], seed: 3);
        var few = Fit([.. branches.Select(b => b[..(8 * Classes)])], labels[..8], [0.7, 0.8]);
        var many = Fit(branches, labels, [0.7, 0.8]);
        Assert.True(Distance(few) < Distance(many), $"{Distance(few)} is not nearer than {Distance(many)}.");
        Assert.Equal([0.7, 0.8], BranchWeights.Fit(branches, [], [], [0.7, 0.8]));

        static double Distance(double[] weights) => Math.Abs(weights[0] - 0.7) + Math.Abs(weights[1] - 0.8);
    }

    [Fact]
    public void AnOverconfidentBranch_IsToned()
    {
        var (branches, labels) = Draw(4000, [0.4], seed: 4);
        Assert.Equal(0.4, Fit(branches, labels, [1])[0], 0.05);
    }

    [Fact]
    public void AtTheWeightsFound_NoStepDescends()
    {
        var (branches, labels) = Draw(500, [1.1, 0.4], seed: 5);
        var weights = Fit(branches, labels, [1, 1]);
        var lowest = Objective(weights);
        foreach (var (a, b) in new[] { (0.01, 0.0), (-0.01, 0.0), (0.0, 0.01), (0.0, -0.01) })
            Assert.True(Objective([weights[0] + a, weights[1] + b]) > lowest);

        double Objective(double[] w)
        {
            var logarithms = BranchWeights.Combine(branches, w, Classes);
            return BranchWeights.AssumedRows / 2 * w.Sum(x => (x - 1) * (x - 1))
                - labels.Index().Sum(l => (double)logarithms[l.Index * Classes + l.Item]);
        }
    }

    [Fact]
    public void RowsOfWeightZero_HaveNoSay()
    {
        var (branches, labels) = Draw(200, [1.0, 0.5], seed: 6);
        float[] weights = [.. Enumerable.Range(0, 200).Select(i => i < 100 ? 1f : 0f)];
        var half = Fit([.. branches.Select(b => b[..(100 * Classes)])], labels[..100], [1, 1]);
        var weighted = BranchWeights.Fit(branches, labels, weights, [1, 1]);
        Assert.Equal(half[0], weighted[0], 1e-6);
        Assert.Equal(half[1], weighted[1], 1e-6);
    }

    [Fact]
    public void Lengths_MustFit()
    {
        Assert.Throws<ArgumentException>(() => BranchWeights.Fit([new float[10]], [0, 1], [1f, 1f], [1, 1]));
        Assert.Throws<ArgumentException>(() => BranchWeights.Fit([new float[10]], [0, 1], [1f], [1]));
        Assert.Throws<ArgumentException>(() => BranchWeights.Fit([new float[10], new float[8]], [0, 1], [1f, 1f], [1, 1]));
    }

    private static double[] Fit(IReadOnlyList<float[]> branches, int[] labels, double[] assumed) =>
        BranchWeights.Fit(branches, labels, Enumerable.Repeat(1f, labels.Length).ToArray(), assumed);

    /// <summary>Random branches, and labels drawn from their weighted sum.</summary>
    private static (float[][] Branches, int[] Labels) Draw(int rows, double[] weights, int seed)
    {
        var random = new Random(seed);
        var branches = weights.Select(_ =>
        {
            float[] scores = [.. Enumerable.Range(0, rows * Classes).Select(_ => 4 * random.NextSingle())];
            for (var i = 0; i < rows; i++)
                Softmax.Logarithms(scores.AsSpan(i * Classes, Classes));
            return scores;
        }).ToArray();
        var truth = BranchWeights.Combine(branches, weights, Classes);
        var labels = new int[rows];
        for (var i = 0; i < rows; i++)
        {
            var left = random.NextDouble();
            while (labels[i] < Classes - 1 && (left -= Math.Exp(truth[i * Classes + labels[i]])) > 0)
                labels[i]++;
        }

        return (branches, labels);
    }
}
