using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>What a <see cref="TrainingLoop"/> descends: examples, the loss on some of them, and a measure to choose the best epoch by.</summary>
internal interface ITrainingObjective
{
    /// <summary>Number of training examples.</summary>
    int Examples { get; }

    /// <summary>
    /// What <see cref="BeginEpoch"/> has found that the rest of the epoch depends on; kept by a checkpoint, since weights have changed when
    /// it is taken up.
    /// </summary>
    IReadOnlyList<double> EpochState => [];

    /// <summary>Begins an epoch, or takes up one that was begun before.</summary>
    /// <param name="epoch">Number of the epoch, from 1.</param>
    /// <param name="state"><see cref="EpochState"/> when it was begun; null where it was not.</param>
    void BeginEpoch(int epoch, IReadOnlyList<double>? state);

    /// <summary>Changes the order of an epoch's examples, which is random, so that batches suit the objective.</summary>
    /// <param name="order">Numbers of all examples.</param>
    /// <param name="batchSize">Examples of a step.</param>
    /// <param name="random">Random numbers, of this epoch alone.</param>
    void Arrange(Span<int> order, int batchSize, Random random)
    {
    }

    /// <summary>Packs the examples that <see cref="Accumulate"/> takes next. The device may still be at work on those before.</summary>
    /// <param name="examples">Numbers of the examples.</param>
    /// <param name="random">Random numbers, of this step alone.</param>
    void Prepare(ReadOnlySpan<int> examples, Random random);

    /// <summary>
    /// Adds the gradient of the mean loss over the prepared examples, times <paramref name="scale"/>, to the parameters'. Does not wait
    /// for the device to end.
    /// </summary>
    /// <param name="scale">Share of these examples in the step.</param>
    /// <returns>The mean loss, to report; see <see cref="Tensor.ReadLater"/>.</returns>
    LaterValue Accumulate(float scale);

    /// <summary>How good the model is on the validation examples; null where there are none. What was prepared is lost.</summary>
    ValidationResult? Evaluate();
}

/// <summary>How good a model is on validation examples.</summary>
/// <param name="Loss">Mean loss.</param>
/// <param name="Metric">Mean of the head's metric.</param>
/// <param name="Score">What the best epoch is chosen by in place of the loss, larger is better; null for the loss.</param>
internal readonly record struct ValidationResult(double Loss, double Metric, double? Score = null)
{
    /// <summary>What the best epoch has least of.</summary>
    public double Criterion => Score is { } score ? -score : Loss;

    /// <summary>The evaluation that a measurement gives; null where nothing was measured.</summary>
    public static ValidationResult? Of(Measurement measurement) =>
        measurement.Result is var (loss, metric) ? new ValidationResult(loss, metric) : null;
}
