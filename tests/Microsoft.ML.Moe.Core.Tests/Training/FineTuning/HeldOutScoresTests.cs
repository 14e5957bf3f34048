using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.LinearModels;
using Microsoft.ML.Moe.Tests.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>What is said of rows that no one has learned from.</summary>
public sealed class HeldOutScoresTests : IDisposable
{
    private const int Classes = 3;
    private const int Width = 4;
    private readonly ManagedEngine _engine = new(1);

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void ScoresThatNoArrayCanHoldAreToldOfBeforeAnythingIsFitted()
    {
        const int rows = 30_000;
        using var engine = new ManagedEngine(1);
        var examples = new ProbeExamples(new float[rows], Width: 1, new int[rows], new float[rows]);
        var scoring = new HeldOutScoring(engine, new ProbeFit(engine, 100_000, seed: 1), new LinearFit(100_000, 1), 100_000, seed: 1);

        var error = Assert.Throws<InvalidOperationException>(() => scoring.OutOfFold(new BranchExamples(examples, null), CancellationToken.None));

        Assert.StartsWith("30,000 rows of 100,000 classes ask for 11 GiB", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheBranchThatKnowsCounts()
    {
        int[] labels = [.. Enumerable.Range(0, 300).Select(i => i % Classes)];
        float[] knows = LogarithmsOf(labels, right: 0.9f), guesses = LogarithmsOf(labels, right: 1f / Classes);

        var (encoder, linear) = Scores(knows, guesses, labels).FitWeights();
        Assert.True(encoder > 0.8f, $"{encoder}, {linear}");
        (encoder, linear) = Scores(guesses, knows, labels).FitWeights();
        Assert.True(linear > 0.8f, $"{encoder}, {linear}");

        Assert.Equal(1, Scores(knows, guesses, labels).Accuracy);
        Assert.True(Scores(knows, guesses, labels).Loss < 0.2);
        Assert.Equal(0f, new HeldOutScores(knows, null, labels, Ones(300)).FitWeights().Linear);
        Assert.Equal((1f, 0.4f), HeldOutScores.AssumedWeights);
    }

    [Fact]
    public void SomeOfTheRowsHaveOtherScoresOfTheEncoder()
    {
        int[] labels = [0, 1, 2, 0];
        var all = Scores(TestNumbers.Normal(1, 12), TestNumbers.Normal(2, 12), labels);

        var same = all.Select([3, 1]);
        var other = all.Select([3, 1], [1, 2, 3, 4, 5, 6]);

        Assert.Equal([.. all.Encoder[9..12], .. all.Encoder[3..6]], same.Encoder);
        Assert.Equal([.. all.Linear![9..12], .. all.Linear[3..6]], same.Linear!);
        Assert.Equal([1, 2, 3, 4, 5, 6], other.Encoder);
        Assert.Equal(same.Linear!, other.Linear!);
        Assert.Equal([0, 1], other.Labels);
    }

    [Fact]
    public void NoRowIsScoredByWhatHasLearnedFromIt()
    {
        // labels that can be learned by heart alone
        var rows = Memorable(240);
        int[] all = [.. Enumerable.Range(0, rows.Count)];
        var scoring = Scoring();

        var seen = scoring.On(rows, rows, default);
        var unseen = Scoring().OutOfFold(rows, default);

        Assert.True(LossOf(seen.Linear!, rows) < 0.5, $"{LossOf(seen.Linear!, rows)}");
        Assert.True(LossOf(unseen.Linear!, rows) > 1.0, $"{LossOf(unseen.Linear!, rows)}");
        Assert.True(LossOf(unseen.Encoder, rows) > 1.0, $"{LossOf(unseen.Encoder, rows)}");
        Assert.Equal(rows.Encoder.Labels, unseen.Labels);
    }

    [Fact]
    public void ScoresAreThoseOfModelsOfTheOtherFolds()
    {
        var rows = Memorable(120);
        var scoring = Scoring();

        var scores = scoring.OutOfFold(rows, default);

        var foldOf = StratifiedFolds.Of(rows.Encoder.Labels, 3, new Random(1));
        for (var fold = 0; fold < 3; fold++)
        {
            int[] inside = [.. Enumerable.Range(0, rows.Count).Where(row => foldOf[row] == fold)];
            int[] outside = [.. Enumerable.Range(0, rows.Count).Where(row => foldOf[row] != fold)];
            var (heldOut, training) = (rows.Select(inside), rows.Select(outside));
            var ofEncoder = new ProbeFit(_engine, Classes, seed: 1)
                .Fit(training.Encoder, ProbeDescent.OfFrozen(training.Count, Classes), scoring.ProbeStrength)
                .ScoreLogarithms(_engine, heldOut.Encoder);
            var ofLinear = new float[ofEncoder.Length];
            new LinearFit(Classes, 1).Fit(training.Linear!, scoring.Strength).ScoreLogarithms(heldOut.Linear!.Rows, ofLinear);

            var actual = scores.Select(inside);
            Assert.Equal(ofEncoder, actual.Encoder);
            for (var i = 0; i < ofLinear.Length; i++)
                Assert.Equal(ofLinear[i], actual.Linear![i], 0.02f);
        }
    }

    [Fact]
    public void TheNextFitHasTheStrengthsThatWereChosen()
    {
        var scoring = Scoring();
        Assert.Equal((0f, 0f), (scoring.Strength, scoring.ProbeStrength));

        scoring.OutOfFold(Memorable(60), default);

        Assert.Contains(scoring.Strength, LinearFit.Strengths.ToArray());
        Assert.Equal(0.01f, scoring.ProbeStrength);
        Assert.NotNull(scoring.Linear);
        Assert.Throws<OperationCanceledException>(() => Scoring().OutOfFold(Memorable(60), new CancellationToken(true)));
    }

    private HeldOutScoring Scoring() => new(_engine, new ProbeFit(_engine, Classes, seed: 1), new LinearFit(Classes, 1), Classes, seed: 1);

    private static BranchExamples Memorable(int count)
    {
        var random = new Random(4);
        int[] labels = [.. Enumerable.Range(0, count).Select(_ => random.Next(Classes))];
        var texts = Enumerable.Range(0, count).Select(i => Rows.Of(
            string.Join(' ', Enumerable.Range(0, 5).Select(_ => "word" + random.Next(30))) + " own" + i)).ToList();
        return new BranchExamples(
            new ProbeExamples(TestNumbers.Normal(3, count * Width), Width, labels, Ones(count)), new LinearExamples(texts, labels, Ones(count)));
    }

    private static double LossOf(float[] logarithms, BranchExamples rows) =>
        rows.Encoder.Labels.Index().Average(label => -logarithms[label.Index * Classes + label.Item]);

    private static HeldOutScores Scores(float[] encoder, float[] linear, int[] labels) => new(encoder, linear, labels, Ones(labels.Length));

    private static float[] LogarithmsOf(int[] labels, float right) =>
        [.. labels.SelectMany(label => Enumerable.Range(0, Classes).Select(c => MathF.Log(c == label ? right : (1 - right) / (Classes - 1))))];

    private static float[] Ones(int count) => [.. Enumerable.Repeat(1f, count)];
}
