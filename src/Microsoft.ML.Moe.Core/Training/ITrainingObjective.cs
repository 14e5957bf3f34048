using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>What a <see cref="TrainingLoop"/> descends: examples, the loss on some of them, and a measure to choose the best epoch by.</summary>
internal interface ITrainingObjective
{
    /// <summary>Number of training examples.</summary>
    int Examples { get; }

    /// <summary>Begins an epoch.</summary>
    /// <param name="epoch">Number of the epoch, from 1.</param>
    void BeginEpoch(int epoch);

    /// <summary>Packs the examples that <see cref="Accumulate"/> takes next. The device may still be at work on those before.</summary>
    /// <param name="examples">Numbers of the examples.</param>
    /// <param name="random">Random numbers, of this step alone.</param>
    void Prepare(ReadOnlySpan<int> examples, Random random);

    /// <summary>Begins a step, whose parts follow.</summary>
    /// <param name="progress">Share of all steps that were taken before, within [0, 1).</param>
    void BeginStep(double progress)
    {
    }

    /// <summary>
    /// Adds the gradient of the mean loss over the prepared examples, times <paramref name="scale"/>, to the parameters'. Does not wait
    /// for the device to end.
    /// </summary>
    /// <param name="scale">Share of these examples in the step.</param>
    /// <returns>The mean loss, to report; see <see cref="Tensor.ReadLater"/>.</returns>
    LaterValue Accumulate(float scale);

    /// <summary>
    /// Loss and the head's metric on the validation examples; null where there are none. What was prepared is lost.
    /// </summary>
    (double Loss, double Metric)? Evaluate();
}
