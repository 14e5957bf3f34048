using System.Globalization;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.LinearModels;

/// <summary>
/// Trains the <see cref="LinearBranch"/> of a text classifier: before the encoder, its strength chosen by held-out rows, which choose the
/// encoder's best epoch too; after it, how much each of the two counts, by the same rows; at last once more, on all rows that may be
/// learned from.
/// </summary>
/// <param name="classes">Number of classes, C.</param>
/// <param name="training">How classes are weighted, and the seed.</param>
/// <param name="threads">Threads at most.</param>
internal sealed class LinearBranchTraining(int classes, TrainingConfig training, int threads)
{
    /// <summary>Share of the training rows that is held out where there are no validation rows.</summary>
    private const float HeldOutShare = 0.1f;

    /// <summary>Tokens of all training texts up to which character n-grams are taken: beyond, there are words enough.</summary>
    private const long MostTokensForGrams = 3_000_000;

    /// <summary>Scores of held-out rows at most, rows × classes: 256 MiB of each branch.</summary>
    private const long MostScores = 1L << 26;

    private readonly LinearFit _fit = new(classes, threads);
    private LinearModel? _model;
    private float _strength;

    /// <summary>
    /// Character n-grams help single texts in every language that was tried. In pairs, the words that both share say more.
    /// </summary>
    /// <param name="texts">Training texts.</param>
    public static LinearInput InputFor(IEnumerable<EncodedText> texts)
    {
        var tokens = 0L;
        foreach (var text in texts)
        {
            tokens += text.Length + text.TokensCutOff;
            if (text.IsPair || tokens > MostTokensForGrams)
                return LinearInput.Words;
        }

        return LinearInput.WordsAndCharacters;
    }

    /// <summary>Fits the linear model, and chooses its strength.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="observer">Is told the strength.</param>
    /// <param name="stop">Ends it, with an exception.</param>
    /// <returns>The rows, some held out.</returns>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public TrainingRows<EncodedText> Fit(TrainingRows<EncodedText> rows, ITrainingObserver? observer, CancellationToken stop)
    {
        Example<EncodedText>[] counting = [.. rows.Training.Where(row => row.Weight > 0)];
        if (rows.Validation.Count == 0 && counting.Length >= StratifiedSplit.FewestRowsToHoldOut)
        {
            var (learned, heldOut) = StratifiedSplit.Of(counting, HeldOutShare, new Random(training.Seed));
            rows = new TrainingRows<EncodedText>(learned, heldOut, IsDrawn: true);
        }

        (_model, _strength) = _fit.Choose(ExamplesOf(rows.Training), ExamplesOf(Some(rows.Validation)), stop);
        observer?.OnMessage(string.Create(
            CultureInfo.InvariantCulture,
            $"Linear branch: {_model.Features.Index.Count} features, strength {_strength}, chosen by {rows.Validation.Count} rows."));
        return rows;
    }

    /// <summary>Weighs the linear model against a trained network.</summary>
    /// <param name="network">The network.</param>
    /// <param name="rows">What <see cref="Fit"/> gave.</param>
    /// <param name="observer">Is told the weights.</param>
    /// <param name="stop">Once it is requested, nothing more is learned.</param>
    public LinearBranch Finish(
        Model<EncodedText> network, TrainingRows<EncodedText> rows, ITrainingObserver? observer, CancellationToken stop)
    {
        var model = _model!;
        var scored = Some(rows.Validation);
        var heldOut = ExamplesOf(scored);
        var weights = BranchWeights.Assumed;
        if (heldOut.Count > 0)
        {
            var (ofNetwork, ofLinear) = (new float[heldOut.Count * classes], new float[heldOut.Count * classes]);
            network.Score([.. scored.Where(row => row.Weight > 0).Select(row => row.Input)], ofNetwork);
            foreach (ref var value in ofNetwork.AsSpan())
                value = LinearBranch.Logarithm(value);
            model.ScoreLogarithms(heldOut.Rows, ofLinear);
            weights = BranchWeights.Fit([ofNetwork, ofLinear], heldOut.Labels, heldOut.Weights, BranchWeights.Assumed);
        }

        var (a, b) = ((float)weights[0], (float)weights[1]);
        observer?.OnMessage(string.Create(
            CultureInfo.InvariantCulture, $"The encoder counts {a:F2}, the linear branch {b:F2}, by {heldOut.Count} rows."));
        try
        {
            if (heldOut.Count > 0 && rows.IsDrawn)
                model = _fit.Fit(ExamplesOf(rows.Training).With(ExamplesOf(rows.Validation)), _strength, model, stop: stop);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // the model that the weights were found with is there
        }

        return new LinearBranch((TextInput)network.Input, model, (a, b));
    }

    /// <summary>Rows that are scored to choose by: all of them, or so many, evenly drawn, that scores of all classes take bounded memory.</summary>
    private IReadOnlyList<Example<EncodedText>> Some(IReadOnlyList<Example<EncodedText>> rows) =>
        EvenSample.Of(rows, (int)Math.Max(1, MostScores / classes));

    private LinearExamples ExamplesOf(IReadOnlyList<Example<EncodedText>> rows)
    {
        Example<EncodedText>[] counting = [.. rows.Where(row => row.Weight > 0)];
        int[] labels = [.. counting.Select(row => (int)row.Target)];
        var ofClasses = ClassWeights.For(labels, classes, training.ClassWeighting);
        return new LinearExamples(
            [.. counting.Select(row => row.Input.Linear!)], labels, [.. counting.Select(row => row.Weight * ofClasses[(int)row.Target])]);
    }
}
