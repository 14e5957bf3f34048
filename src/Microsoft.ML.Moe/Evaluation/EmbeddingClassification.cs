using System.Globalization;
using Microsoft.ML.Moe.LinearModels;

namespace Microsoft.ML.Moe.Evaluation;

/// <summary>Settings of <see cref="EmbeddingEvaluation.Classification"/>; the defaults are MTEB's.</summary>
public sealed record EmbeddingClassificationOptions
{
    /// <summary>Number of experiments, each with other training rows; their scores are averaged. At least 1; 10 by default.</summary>
    public int Experiments { get; init; } = 10;

    /// <summary>
    /// Training rows of each class in an experiment, at least 1; 8 by default. MTEB takes 16 for Emotion and ToxicConversations, 32 for
    /// TweetSentimentExtraction and YahooAnswers, 128 for YelpReviewFull.
    /// </summary>
    public int RowsForEachClass { get; init; } = 8;

    /// <summary>Seed that training rows are shuffled by, as NumPy's <c>RandomState</c>; 42 by default.</summary>
    public uint Seed { get; init; } = 42;

    /// <summary>Steps at most that a logistic regression may take, at least 1; 100 by default.</summary>
    public int MaxIterations { get; init; } = 100;
}

/// <summary>How well a logistic regression on few embeddings classifies.</summary>
/// <param name="Accuracy">Share of rows that are right.</param>
/// <param name="MacroF1">F1 averaged over classes.</param>
/// <param name="WeightedF1">F1 averaged over classes by their rows.</param>
/// <param name="MacroPrecision">Precision averaged over classes.</param>
/// <param name="WeightedPrecision">Precision averaged over classes by their rows.</param>
/// <param name="MacroRecall">Recall averaged over classes.</param>
/// <param name="WeightedRecall">Recall averaged over classes by their rows.</param>
/// <param name="AveragePrecision">Average precision of the predicted labels, where the test rows have two classes; else null.</param>
public sealed record EmbeddingClassificationScores(
    double Accuracy,
    double MacroF1,
    double WeightedF1,
    double MacroPrecision,
    double WeightedPrecision,
    double MacroRecall,
    double WeightedRecall,
    double? AveragePrecision);

/// <summary>Result of <see cref="EmbeddingEvaluation.Classification"/>.</summary>
/// <param name="Mean">Means over the experiments; the main score is the accuracy.</param>
/// <param name="Experiments">Scores of each experiment.</param>
public sealed record EmbeddingClassificationMetrics(
    EmbeddingClassificationScores Mean, IReadOnlyList<EmbeddingClassificationScores> Experiments)
{
    /// <summary>Accuracy and macro F1, for people.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"Classification: accuracy {Mean.Accuracy:F4}, macro F1 {Mean.MacroF1:F4}, means of {Experiments.Count} experiments");
}

/// <summary>MTEB's protocol of classification (Muennighoff et al. 2023, section 3.2).</summary>
internal static class ClassificationProtocol
{
    /// <summary>Runs it.</summary>
    /// <param name="train">Embeddings and labels to train on.</param>
    /// <param name="test">Embeddings and labels to score.</param>
    /// <param name="options">Settings.</param>
    /// <param name="cancellation">Ends it with an exception.</param>
    /// <exception cref="InvalidOperationException">The training rows have a single class.</exception>
    public static EmbeddingClassificationMetrics Run(
        IReadOnlyList<(string Label, float[] Embedding)> train,
        IReadOnlyList<(string Label, float[] Embedding)> test,
        EmbeddingClassificationOptions options,
        CancellationToken cancellation)
    {
        var trained = new ClassNumbers(train.Select(r => r.Label));
        if (trained.Count < 2)
            throw new InvalidOperationException(
                $"All training rows have the label '{train[0].Label}'; a classifier needs at least two classes.");
        var all = new ClassNumbers(train.Concat(test).Select(r => r.Label));
        var numbers = new int[trained.Count];
        foreach (var (label, _) in train)
            numbers[trained[label]] = all[label];
        int[] trainLabels = [.. train.Select(r => trained[r.Label])];
        int[] testLabels = [.. test.Select(r => all[r.Label])];
        var rows = new Undersampling(trainLabels, options.RowsForEachClass, options.Seed);
        var experiments = new List<EmbeddingClassificationScores>();
        for (var i = 0; i < options.Experiments; i++)
        {
            var taken = rows.Next();
            var model = LogisticRegression.Fit(
                [.. taken.Select(r => train[r].Embedding)],
                [.. taken.Select(r => trainLabels[r])],
                trained.Count,
                mostSteps: options.MaxIterations,
                cancellation: cancellation);
            experiments.Add(Score(testLabels, [.. test.Select(r => numbers[model.Predict(r.Embedding)])], all.Count));
        }

        return new EmbeddingClassificationMetrics(MeanOf(experiments), experiments);
    }

    /// <summary>Scores predictions.</summary>
    public static EmbeddingClassificationScores Score(int[] labels, int[] predictions, int classes)
    {
        var counts = new ConfusionCounts(labels, predictions, classes);
        var isBinary = labels.Distinct().Count() == 2;
        var positive = labels.Max();
        return new EmbeddingClassificationScores(
            counts.Accuracy,
            counts.MacroF1,
            counts.WeightedF1,
            counts.MacroPrecision,
            counts.WeightedPrecision,
            counts.MacroRecall,
            counts.WeightedRecall,
            isBinary
                ? RankedLabels.AveragePrecision([.. predictions.Select(p => (double)p)], [.. labels.Select(l => l == positive)])
                : null);
    }

    private static EmbeddingClassificationScores MeanOf(List<EmbeddingClassificationScores> scores) => new(
        scores.Average(s => s.Accuracy),
        scores.Average(s => s.MacroF1),
        scores.Average(s => s.WeightedF1),
        scores.Average(s => s.MacroPrecision),
        scores.Average(s => s.WeightedPrecision),
        scores.Average(s => s.MacroRecall),
        scores.Average(s => s.WeightedRecall),
        scores.Average(s => s.AveragePrecision));
}
