using Microsoft.ML.Moe.Experiments.Data;
using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Text;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Experiments.Studies;

/// <summary>
/// The network as it is, an encoder with a wide table that learns beside it, and a linear model, each trained on nine tenths of the rows.
/// The last tenth chooses the network's best epoch, the linear model's strength and the weights of both; then the linear model is
/// fitted to all rows.
/// </summary>
/// <param name="set">The set.</param>
/// <param name="seed">Seed of the training.</param>
/// <param name="engine">Where the encoder is trained.</param>
/// <param name="epochs">Passes of the encoder; null for its rule.</param>
internal sealed class WeighedBranches(TextSet set, int seed, Engine engine, int? epochs)
{
    private const float HeldOutShare = 0.1f;
    private const int ScoredAtOnce = 512;
    private float[] _network = [];
    private float[] _linear = [];

    /// <summary>Weight of the network and of the linear branch.</summary>
    public double[] Weights { get; private set; } = [];

    /// <summary>Trains both and scores the test rows.</summary>
    public void Train(CancellationToken stop)
    {
        var (training, heldOut) = StratifiedSplit.Of(
            [.. set.Train.Select(row => new LabelledRow<LabelledText>(row, set.ClassOf(row)))], HeldOutShare, new Random(seed));
        var survey = new TextSurvey();
        foreach (var row in set.Train)
            survey.Add(row.First, row.Second);

        var fit = new LinearFit(set.Classes.Count, Environment.ProcessorCount);
        var (some, rest) = (Examples(training, survey.CharacterGrams), Examples(heldOut, survey.CharacterGrams));
        var (chosen, strength) = fit.Choose(some, rest, stop);
        var linear = fit.Fit(some.With(rest), strength, chosen, stop: stop);

        var options = new TextClassifierOptions { Seed = seed, MaxEpochs = epochs, MaximumTokens = survey.MaximumTokens };
        var trainer = new TextClassifierTrainer(options, set.Classes.Count, engine);
        var network = trainer.Train(Encode(training), Encode(heldOut), stop: stop);

        var linearHeldOut = new float[rest.Count * set.Classes.Count];
        chosen.ScoreLogarithms(rest.Rows, linearHeldOut);
        Weights = BranchWeights.Fit(
            [Logarithms(network, heldOut.Select(row => row.Input)), linearHeldOut], rest.Labels, rest.Weights, BranchWeights.Assumed);
        _network = Logarithms(network, set.Test);
        _linear = new float[set.Test.Count * set.Classes.Count];
        linear.ScoreLogarithms([.. set.Test.Select(row => Row(row, survey.CharacterGrams))], _linear);

        List<LabelledRow<EncodedText>> Encode(IEnumerable<LabelledRow<LabelledText>> rows) =>
            [.. rows.Select(row => new LabelledRow<EncodedText>(trainer.Input.Encode(row.Input.First, row.Input.Second), row.Label))];
    }

    /// <summary>Of the test rows by both branches.</summary>
    public float[] Probabilities() => Exponentials(BranchWeights.Combine([_network, _linear], Weights, set.Classes.Count));

    /// <summary>Of the test rows by the linear branch.</summary>
    public float[] LinearProbabilities() => Exponentials(_linear);

    /// <summary>Of the test rows by the network.</summary>
    public float[] NetworkProbabilities() => Exponentials(_network);

    /// <summary>A classifier's probabilities.</summary>
    public static float[] Score(TextClassifier classifier, IEnumerable<LabelledText> rows)
    {
        var all = rows.Select(row => classifier.Input.Encode(row.First, row.Second)).ToArray();
        var probabilities = new float[all.Length * classifier.ClassCount];
        for (var start = 0; start < all.Length; start += ScoredAtOnce)
            classifier.Score(
                all[start..Math.Min(all.Length, start + ScoredAtOnce)], probabilities.AsSpan(start * classifier.ClassCount));
        return probabilities;
    }

    private static float[] Logarithms(TextClassifier classifier, IEnumerable<LabelledText> rows) =>
        [.. Score(classifier, rows).Select(p => MathF.Log(Math.Max(p, 1e-30f)))];

    private static float[] Exponentials(float[] logarithms) => [.. logarithms.Select(MathF.Exp)];

    private static LinearExamples Examples(List<LabelledRow<LabelledText>> rows, bool grams) => new(
        [.. rows.Select(row => Row(row.Input, grams))], [.. rows.Select(row => row.Label)], [.. rows.Select(row => row.Weight)]);

    private static LinearRow Row(LabelledText row, bool grams)
    {
        var builder = new LinearRowBuilder(grams);
        var (first, words) = Words(row.First);
        if (row.Second is null)
            return builder.Build(first, words);
        var (second, secondWords) = Words(row.Second);
        return builder.Build(first, words, second, secondWords);

        static (string Text, List<Range> Words) Words(string text)
        {
            text = text.ToLowerInvariant();
            var words = new List<Range>();
            WordSplitter.Split(text, words, LinearRowBuilder.MaximumWords);
            return (text, words);
        }
    }
}
