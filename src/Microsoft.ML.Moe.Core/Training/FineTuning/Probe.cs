using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>Rows for a <see cref="Probe"/>: what an encoder makes of each, pooled.</summary>
/// <param name="Features">N rows of F numbers.</param>
/// <param name="Width">Numbers of a row, F.</param>
/// <param name="Labels">Class of each row, within [0, C).</param>
/// <param name="Weights">Weight of each in the loss, at least 0; the weight of its class is part of it.</param>
/// <param name="Emphasised">How many of the numbers, the last ones, are worth more than others.</param>
internal sealed record ProbeExamples(float[] Features, int Width, int[] Labels, float[] Weights, int Emphasised = 0)
{
    /// <summary>Number of rows, N.</summary>
    public int Count => Labels.Length;

    /// <summary>Features of one row.</summary>
    public ReadOnlySpan<float> FeaturesOf(int row) => Features.AsSpan(row * Width, Width);

    /// <summary>Some of the rows, in the order given.</summary>
    public ProbeExamples Select(IReadOnlyList<int> rows)
    {
        // all of them need no copy
        if (rows.Count == Count && rows.Index().All(row => row.Item == row.Index))
            return this;
        var features = new float[rows.Count * Width];
        for (var i = 0; i < rows.Count; i++)
            FeaturesOf(rows[i]).CopyTo(features.AsSpan(i * Width));
        return Select(rows, features, Width);
    }

    /// <summary>Some of the rows, in the order given, by other features of theirs.</summary>
    /// <param name="rows">Numbers of the rows.</param>
    /// <param name="features">Their features.</param>
    /// <param name="width">Numbers of a row.</param>
    public ProbeExamples Select(IReadOnlyList<int> rows, float[] features, int width) =>
        new(features, width, [.. rows.Select(row => Labels[row])], [.. rows.Select(row => Weights[row])], Emphasised);
}

/// <summary>A layer that scores classes by what an encoder makes of a row: x·W + b.</summary>
/// <param name="Width">Numbers of a row, F.</param>
/// <param name="Weights">W, F rows of C values.</param>
/// <param name="Bias">b, C values.</param>
internal sealed record Probe(int Width, float[] Weights, float[] Bias)
{
    /// <summary>Rows that are scored at once.</summary>
    private const int Rows = 1024;

    /// <summary>Number of classes, C.</summary>
    public int Classes => Bias.Length;

    /// <summary>Natural logarithms of the probabilities of rows, [N, C].</summary>
    /// <param name="engine">Where to compute them.</param>
    /// <param name="rows">The rows.</param>
    public float[] ScoreLogarithms(Engine engine, ProbeExamples rows)
    {
        var logarithms = new float[rows.Count * Classes];
        var weights = engine.CreateParameter("probe.weight", [Width, Classes], Weights);
        var bias = engine.CreateParameter("probe.bias", [Classes], Bias);
        for (var start = 0; start < rows.Count; start += Rows)
        {
            var count = Math.Min(Rows, rows.Count - start);
            using var tape = engine.LeaseTape(training: false);
            var x = tape.Constant(rows.Features.AsSpan(start * Width, count * Width), count, Width);
            tape.Linear(x, weights, bias).CopyTo(logarithms.AsSpan(start * Classes, count * Classes));
        }

        for (var row = 0; row < rows.Count; row++)
            Softmax.Logarithms(logarithms.AsSpan(row * Classes, Classes));
        return logarithms;
    }
}
