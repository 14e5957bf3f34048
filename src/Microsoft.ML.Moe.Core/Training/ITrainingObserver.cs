namespace Microsoft.ML.Moe.Training;

/// <summary>Receives the progress of training, on the training thread.</summary>
public interface ITrainingObserver
{
    /// <summary>A step was taken. May throw <see cref="OperationCanceledException"/> to abandon training.</summary>
    /// <param name="epoch">Number of the epoch, from 1.</param>
    /// <param name="step">Number of the step within the epoch, from 1.</param>
    /// <param name="steps">Steps in the epoch.</param>
    /// <param name="loss">Loss of this step's batch.</param>
    void OnStep(int epoch, int step, int steps, double loss);

    /// <summary>Is told before <see cref="OnStep"/> how long training goes on if it takes all of its steps.</summary>
    /// <param name="left">The time that is left, by that of the steps and evaluations so far.</param>
    void OnTimeLeft(TimeSpan left)
    {
    }

    /// <summary>
    /// The validation rows were evaluated: after each <see cref="TrainingConfig.EvaluationSteps"/> steps and after each epoch. Is told before
    /// <see cref="OnEpoch"/>.
    /// </summary>
    /// <param name="report">What was measured.</param>
    void OnEvaluation(EvaluationReport report)
    {
    }

    /// <summary>An epoch has ended.</summary>
    /// <param name="report">What it achieved.</param>
    void OnEpoch(EpochReport report);

    /// <summary>
    /// Training goes on from a checkpoint. Whoever was told of epochs before the interruption may not have been told of this one.
    /// </summary>
    /// <param name="last">What the last epoch before it achieved.</param>
    void OnResumed(EpochReport last)
    {
    }

    /// <summary>Something was chosen or done besides: a line for the log.</summary>
    /// <param name="message">The line.</param>
    void OnMessage(string message)
    {
    }

    /// <summary>Something that was asked for could not be done: a line for the log. By default as <see cref="OnMessage"/>.</summary>
    /// <param name="message">The line.</param>
    void OnWarning(string message) => OnMessage(message);

    /// <summary>A stage that takes no steps has come further. May throw <see cref="OperationCanceledException"/> to abandon training.</summary>
    /// <param name="stage">What is done.</param>
    /// <param name="done">Rows that are done.</param>
    /// <param name="total">Rows that there are.</param>
    void OnProgress(string stage, int done, int total)
    {
    }
}

/// <summary>What an epoch achieved.</summary>
/// <param name="Epoch">Number of the epoch, from 1.</param>
/// <param name="Epochs">Epochs planned.</param>
/// <param name="TrainingLoss">Mean cross-entropy over the epoch's batches, in nats; with dropout and label smoothing.</param>
/// <param name="ValidationLoss">Mean negative log-likelihood of encoder and head on the validation rows, in nats; null without validation rows.</param>
/// <param name="ValidationAccuracy">Share of validation rows predicted right, or the mean absolute error of numbers; null without validation rows.</param>
/// <param name="LearningRate">Learning rate of the dense weights at the end of the epoch.</param>
/// <param name="RowsPerSecond">Training rows per second, validation not counted.</param>
/// <param name="IsBest">Whether this is the best epoch so far, the one to be kept.</param>
public sealed record EpochReport(
    int Epoch,
    int Epochs,
    double TrainingLoss,
    double? ValidationLoss,
    double? ValidationAccuracy,
    double LearningRate,
    double RowsPerSecond,
    bool IsBest)
{
    /// <summary>What the best epoch is chosen by in place of the validation loss, larger is better; null where it is the loss.</summary>
    public double? Score { get; init; }

    /// <summary>How long training goes on, by the time it took so far, if it is not ended early.</summary>
    public TimeSpan TimeLeft { get; init; }
}

/// <summary>How good a model is on the validation rows after a step.</summary>
/// <param name="Epoch">Number of the epoch, from 1.</param>
/// <param name="Step">Steps taken so far, those of earlier epochs counted.</param>
/// <param name="Loss">Mean negative log-likelihood, in nats: of a row's class, or of a token that is told.</param>
/// <param name="Accuracy">Share of the rows, or tokens, predicted right.</param>
/// <param name="IsBest">Whether these are the best weights so far.</param>
public sealed record EvaluationReport(int Epoch, int Step, double Loss, double Accuracy, bool IsBest)
{
    /// <summary>exp(<see cref="Loss"/>), for a model that tells tokens.</summary>
    public double Perplexity => Math.Exp(Loss);

    /// <summary>What the best weights are chosen by in place of the loss, larger is better; null where it is the loss.</summary>
    public double? Score { get; init; }
}
