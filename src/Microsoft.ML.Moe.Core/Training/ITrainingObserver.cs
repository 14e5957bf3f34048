namespace Microsoft.ML.Moe.Training;

/// <summary>Is told how training goes, on the training thread.</summary>
public interface ITrainingObserver
{
    /// <summary>A step was taken. May throw <see cref="OperationCanceledException"/> to abandon training.</summary>
    /// <param name="epoch">Number of the epoch, from 1.</param>
    /// <param name="step">Number of the step within the epoch, from 1.</param>
    /// <param name="steps">Steps in the epoch.</param>
    /// <param name="loss">Loss of this step's batch.</param>
    void OnStep(int epoch, int step, int steps, double loss);

    /// <summary>An epoch has ended.</summary>
    /// <param name="report">What it achieved.</param>
    void OnEpoch(EpochReport report);
}
