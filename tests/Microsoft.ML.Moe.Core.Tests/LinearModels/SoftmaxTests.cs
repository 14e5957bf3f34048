using Microsoft.ML.Moe.LinearModels;

namespace Microsoft.ML.Moe.Tests.LinearModels;

public sealed class SoftmaxTests
{
    public static TheoryData<int> Classes => [1, 2, 7, 8, 9, 150, 1500];

    [Theory]
    [MemberData(nameof(Classes))]
    public void IsThatOfDoublePrecision(int classes)
    {
        var scores = Scores(classes, 30f);
        var expected = Expected(scores);

        var (probabilities, logarithms) = (scores.ToArray(), scores.ToArray());
        var (largest, sum) = Softmax.Of(probabilities);
        Softmax.Logarithms(logarithms);

        Assert.Equal(scores.Max(), largest);
        Assert.Equal(scores.Sum(score => Math.Exp(score - largest)), sum, 1e-5 * sum);
        for (var c = 0; c < classes; c++)
        {
            Assert.Equal(expected[c], probabilities[c], 1e-6);
            Assert.Equal(Math.Log(expected[c]), logarithms[c], 2e-5);
        }
    }

    [Theory]
    [MemberData(nameof(Classes))]
    public void LogarithmsAreWeighed(int classes)
    {
        var scores = Scores(classes, 4f);
        float[] probabilities = [.. Expected(Scores(classes, 200f)).Select(p => (float)p)];
        probabilities[0] = 0f;
        var weighed = probabilities.ToArray();

        Softmax.WeighLogarithms(weighed, 0.7f, scores, 1.3f);

        for (var c = 0; c < classes; c++)
            Assert.Equal((0.7f * Math.Log(Math.Max(probabilities[c], 1e-30))) + (1.3f * scores[c]), weighed[c], 2e-5);
    }

    [Fact]
    public void NoNumberStaysNoNumber()
    {
        float[] scores = [1f, float.NaN, 2f];
        Softmax.Of(scores);
        Assert.All(scores, score => Assert.True(float.IsNaN(score)));
    }

    private static float[] Scores(int classes, float range)
    {
        var random = new Random(classes);
        return [.. Enumerable.Range(0, classes).Select(_ => range * (random.NextSingle() - 0.5f))];
    }

    private static double[] Expected(float[] scores)
    {
        var largest = scores.Max();
        var sum = scores.Sum(score => Math.Exp(score - largest));
        return [.. scores.Select(score => Math.Exp(score - largest) / sum)];
    }
}
