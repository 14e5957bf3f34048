using System.Globalization;
using System.Text.Json;
using Microsoft.ML.Moe.Evaluation;
using Microsoft.ML.Moe.LinearModels;

namespace Microsoft.ML.Moe.Tests.Evaluation;

/// <summary>What MTEB's protocols are made of gives what NumPy, scikit-learn and MTEB itself give.</summary>
[Trait("Category", "Goldens")]
public class GoldenProtocolTests
{
    private const double Tolerance = 1e-6;

    public static TheoryData<string, string, string> Draws { get; } = GoldenMetrics.Cases(f => true, "numpy_shuffle_42");

    public static TheoryData<string, string, string> Classifications { get; } =
        GoldenMetrics.Cases(f => f.TryGetProperty("classification_note", out _), "classification");

    public static TheoryData<string, string, string> Clusterings { get; } =
        GoldenMetrics.Cases(f => f.TryGetProperty("clustering_note", out _), "clustering");

    [SkippableTheory]
    [MemberData(nameof(Draws))]
    public void RandomNumbersAreThoseOfNumPy(string path, string section, string name)
    {
        var value = GoldenMetrics.ReadOrSkip(path).Case(section, name);
        var seed = uint.Parse(section[(section.LastIndexOf('_') + 1)..], CultureInfo.InvariantCulture);
        var random = new MersenneTwister(seed);
        if (name == "sequences")
        {
            var sequences = value.Deserialize<int[][]>()!;
            int[] order = [.. Enumerable.Range(0, sequences[0].Length)];
            foreach (var sequence in sequences)
            {
                new MersenneTwister(seed).Shuffle<int>(order);
                Assert.Equal(sequence, order);
            }
        }
        else if (name == "random_interval_raw")
        {
            Assert.All(value.Deserialize<uint[]>()!, bits => Assert.Equal(bits, random.NextBits()));
        }
        else if (name.EndsWith("_uniform", StringComparison.Ordinal))
        {
            Assert.All(value.Deserialize<double[]>()!, number => Assert.Equal(number, random.NextDouble()));
        }
        else if (name.EndsWith("_normal", StringComparison.Ordinal))
        {
            Assert.All(value.Deserialize<double[]>()!, number => GoldenMetrics.Close(number, random.NextGaussian(), 1e-14, name));
        }
        else if (name.Contains("_permutation_", StringComparison.Ordinal))
        {
            var permutation = value.Deserialize<int[]>()!;
            Assert.Equal(permutation, random.Permutation(permutation.Length));
        }
        else
        {
            Assert.Equal("note", name);
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Classifications))]
    public void ExperimentsTakeTheSameRowsAndPredictTheSame(string path, string section, string name)
    {
        var file = GoldenMetrics.ReadOrSkip(path);
        var task = file.Case(section, name);
        var (train, test) = (file.Rows(task, "train"), file.Rows(task, "test"));
        var (labels, testLabels) = (GoldenMetrics.List<int>(task, "train_labels"), GoldenMetrics.List<int>(task, "test_labels"));
        var rows = new Undersampling(labels, task.GetProperty("samples_per_label").GetInt32(), task.GetProperty("seed").GetUInt32());

        foreach (var experiment in task.GetProperty("experiments").EnumerateArray())
        {
            var taken = rows.Next();
            Assert.Equal(GoldenMetrics.List<int>(experiment, "indices"), taken);
            var model = Fit(1e-4, 100);
            var predictions = Array.ConvertAll(test, r => model.Predict(r));
            Assert.Equal(GoldenMetrics.List<int>(experiment, "predictions"), predictions);
            Assert.Equal(experiment.GetProperty("iterations").GetInt32(), model.Steps);
            var tight = Fit(1e-12, 100_000);
            var tightPredictions = Array.ConvertAll(test, r => tight.Predict(r));
            Assert.Equal(experiment.GetProperty("tight_predictions_equal").GetBoolean(), tightPredictions.SequenceEqual(predictions));
            GoldenMetrics.Close(
                experiment.GetProperty("tight_accuracy").GetDouble(),
                new ConfusionCounts(testLabels, tightPredictions, tight.Classes).Accuracy,
                Tolerance,
                "tight_accuracy");
            GoldenMetrics.Close(
                experiment.GetProperty("tight_smallest_margin").GetDouble(), test.Min(r => Margin(tight, r)), Tolerance, "margin");

            LogisticRegression Fit(double tolerance, int steps) => LogisticRegression.Fit(
                [.. taken.Select(i => train[i])],
                [.. taken.Select(i => labels[i])],
                labels.Max() + 1,
                tolerance: tolerance,
                mostSteps: steps);
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Clusterings))]
    public void ClustersAgreeWithClassesAsMuch(string path, string section, string name)
    {
        var task = GoldenMetrics.ReadOrSkip(path).Case(section, name);
        var labels = GoldenMetrics.List<int>(task, "labels");
        foreach (var item in task.GetProperty("fixed_assignments").EnumerateArray())
        {
            var actual = new ClusterAgreement(labels, GoldenMetrics.List<int>(item, "assignment"));
            GoldenMetrics.Check(
                item,
                score => score switch
                {
                    "homogeneity" => actual.Homogeneity,
                    "completeness" => actual.Completeness,
                    "v_measure" => actual.VMeasure,
                    "nmi" => actual.NormalisedMutualInformation,
                    "ami" => actual.AdjustedMutualInformation,
                    "ari" => actual.AdjustedRandIndex,
                    _ => throw new InvalidDataException($"There is no score '{score}'."),
                },
                Tolerance);
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Clusterings))]
    public void KMeansFindsTheClustersOfTheSameSeed(string path, string section, string name)
    {
        var file = GoldenMetrics.ReadOrSkip(path);
        var task = file.Case(section, name);
        var (rows, labels) = (file.Rows(task, "embeddings"), GoldenMetrics.List<int>(task, "labels"));
        var runs = task.GetProperty("minibatch_kmeans").EnumerateArray()
            .Select(run =>
            {
                var clusters = MiniBatchKMeans.Fit(
                    rows, task.GetProperty("n_clusters").GetInt32(), batchSize: 500, run.GetProperty("seed").GetUInt32());
                return (Expected: run, clusters.Inertia, new ClusterAgreement(labels, clusters.Assignments).VMeasure);
            })
            .ToList();

        // In single precision a row may lie as far from one centre as from another, and rounding decides: not in many of the runs.
        var same = runs.Count(r => Math.Abs(r.VMeasure - r.Expected.GetProperty("v_measure").GetDouble()) < Tolerance
            && Math.Abs(r.Inertia / r.Expected.GetProperty("inertia").GetDouble() - 1) < 1e-5);
        Assert.True(same >= 0.8 * runs.Count, $"{same} of {runs.Count} runs are the same.");
        var best = task.GetProperty("kmeans_best_of_20").GetProperty("inertia").GetDouble();
        Assert.All(runs, r => Assert.InRange(r.Inertia, best * (1 - 1e-5), best * 1.2));
        var range = GoldenMetrics.List<double>(task, "v_range");
        Assert.InRange(runs.Average(r => r.VMeasure), range[0], range[1]);
    }

    private static double Margin(LogisticRegression model, float[] row)
    {
        var probabilities = model.Probabilities(row);
        Array.Sort(probabilities);
        return probabilities[^1] - probabilities[^2];
    }
}
