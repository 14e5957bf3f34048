using Microsoft.ML.Moe.Generation;

namespace Microsoft.ML.Moe.Tests.Generation;

public sealed class ProbabilityTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(511)]
    [InlineData(512)]
    [InlineData(40_003)]
    public void SumsOfAnyLengthAreThoseInDoublePrecision(int count)
    {
        var random = new Random(count);
        var scores = Enumerable.Range(0, count).Select(_ => (float)(random.NextDouble() * 30 - 15)).ToArray();
        if (count > 2)
            scores[count / 2] = float.NegativeInfinity;

        var largest = scores.Max();
        Assert.Equal(largest, Probabilities.Largest(scores));
        var expected = largest + Math.Log(scores.Sum(s => Math.Exp((double)s - largest)));
        Assert.Equal(expected, Probabilities.LogSumExp(scores), 1e-5);
        var entropy = -scores.Where(float.IsFinite).Sum(s => Math.Exp(s - expected) * (s - expected));
        Assert.Equal(entropy, Probabilities.Entropy(scores, expected), 1e-4);

        var queue = new PriorityQueue<float, float>();
        var ordered = scores.OrderDescending().ToArray();
        foreach (var k in new[] { 1, (count + 1) / 2, count })
            Assert.Equal(ordered[k - 1], Probabilities.Largest(scores, k, queue));
    }

    [Theory]
    [InlineData(5)]
    [InlineData(600)]
    public void WhatIsNoNumberIsToldAndNothingIsNothing(int count)
    {
        foreach (var place in new[] { 0, count / 2, count - 1 })
        {
            var scores = new float[count];
            scores[place] = float.NaN;
            Assert.True(double.IsNaN(Probabilities.LogSumExp(scores)));
        }

        Assert.Equal(double.NegativeInfinity, Probabilities.LogSumExp(Enumerable.Repeat(float.NegativeInfinity, count).ToArray()));
    }
}
