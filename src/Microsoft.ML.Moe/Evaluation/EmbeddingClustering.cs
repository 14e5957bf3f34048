using System.Globalization;

namespace Microsoft.ML.Moe.Evaluation;

/// <summary>
/// Settings of <see cref="EmbeddingEvaluation.Clustering"/>. The defaults are those of MTEB's clustering tasks, each set by itself;
/// <see cref="Fast"/> those of its fast ones.
/// </summary>
public sealed record EmbeddingClusteringOptions
{
    /// <summary>MTEB's fast clustering: 4 % of the rows, 10 samples of 16,384 of them with repetition, batches of 512.</summary>
    public static EmbeddingClusteringOptions Fast() => new() { BatchSize = 512, RowShare = 0.04f, Samples = 10 };

    /// <summary>Rows of a step of mini-batch k-means, at least 1; 500 by default.</summary>
    public int BatchSize { get; init; } = 500;

    /// <summary>Seed of everything random; 42 by default.</summary>
    public uint Seed { get; init; } = 42;

    /// <summary>Share of the rows of a set that is used, over 0 and at most 1; 1 by default.</summary>
    public float RowShare { get; init; } = 1f;

    /// <summary>
    /// Samples, drawn with repetition, that are clustered of each set, at least 0; 0, the default, clusters the set itself.
    /// </summary>
    public int Samples { get; init; }

    /// <summary>Rows of a sample, at least 1; 16,384 by default.</summary>
    public int SampleSize { get; init; } = 16_384;
}

/// <summary>Result of <see cref="EmbeddingEvaluation.Clustering"/>.</summary>
/// <param name="VMeasure">Mean v-measure, the main score.</param>
/// <param name="VMeasures">That of each set or sample.</param>
public sealed record EmbeddingClusteringMetrics(double VMeasure, IReadOnlyList<double> VMeasures)
{
    /// <summary>The mean, for people.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"Clustering: v-measure {VMeasure:F4}, mean of {VMeasures.Count} clusterings");
}

/// <summary>MTEB's protocols of clustering: k-means with as many clusters as there are labels.</summary>
internal static class ClusteringProtocol
{
    /// <summary>Runs it.</summary>
    /// <param name="sets">Rows of each set.</param>
    /// <param name="options">Settings.</param>
    /// <param name="cancellation">Ends it with an exception.</param>
    public static EmbeddingClusteringMetrics Run(
        IEnumerable<IReadOnlyList<(float[] Embedding, string Label)>> sets,
        EmbeddingClusteringOptions options,
        CancellationToken cancellation)
    {
        var random = new MersenneTwister(options.Seed);
        var measures = new List<double>();
        foreach (var set in sets)
        {
            var count = Math.Max(1, (int)Math.Round(set.Count * (double)options.RowShare));
            var rows = count == set.Count ? set : [.. random.Permutation(set.Count).Take(count).Select(i => set[i])];
            if (options.Samples == 0)
                measures.Add(Measure(rows, options, cancellation));
            for (var sample = 0; sample < options.Samples; sample++)
                measures.Add(Measure([.. random.NextIndices(count, options.SampleSize).Select(i => rows[i])], options, cancellation));
        }

        return new EmbeddingClusteringMetrics(measures.Average(), measures);
    }

    private static double Measure(
        IReadOnlyList<(float[] Embedding, string Label)> rows, EmbeddingClusteringOptions options, CancellationToken cancellation)
    {
        var numbers = new ClassNumbers(rows.Select(r => r.Label));
        var clusters = MiniBatchKMeans.Fit(
            [.. rows.Select(r => r.Embedding)], numbers.Count, options.BatchSize, options.Seed, cancellation);
        return new ClusterAgreement([.. rows.Select(r => numbers[r.Label])], clusters.Assignments).VMeasure;
    }
}
