namespace Microsoft.ML.Moe.Training;

/// <summary>What a <see cref="TrainingLoop"/> descends: examples, the loss on some of them, and a measure to choose the best epoch by.</summary>
internal interface ITrainingObjective
{
    /// <summary>Number of training examples.</summary>
    int Examples { get; }

    /// <summary>Begins an epoch.</summary>
    void BeginEpoch();

    /// <summary>Adds the gradient of the mean loss over some examples, times <paramref name="scale"/>, to the parameters'.</summary>
    /// <param name="examples">Numbers of the examples.</param>
    /// <param name="scale">Share of these examples in the step.</param>
    /// <param name="random">Source of chance, of this step alone.</param>
    /// <returns>The mean loss, to report.</returns>
    double Accumulate(ReadOnlySpan<int> examples, float scale, Random random);

    /// <summary>Loss and accuracy on the validation examples; null where there are none.</summary>
    (double Loss, double Accuracy)? Evaluate();
}
