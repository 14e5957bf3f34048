using Microsoft.ML.Moe.Training;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.Fitting;

/// <summary>A training inside <c>Fit</c>: with progress, log, and both ways to end it.</summary>
/// <param name="host">The estimator's; can cancel.</param>
/// <param name="channel">Takes the log.</param>
/// <param name="epochCompleted">Is called after each epoch; null for nobody.</param>
/// <param name="stop">Ends training and keeps the best that there is.</param>
internal sealed class FitRun(IHost host, IChannel channel, Action<EpochReport>? epochCompleted, CancellationToken stop)
{
    /// <summary>Runs the training.</summary>
    /// <param name="name">Name of the progress.</param>
    /// <param name="train">Trains and returns the model.</param>
    /// <exception cref="OperationCanceledException">It was cancelled, or stopped before its first step.</exception>
    public TModel Train<TModel>(string name, Func<ITrainingObserver, TModel> train)
    {
        using var progress = host.StartProgressChannel(name);
        var observer = new FitObserver(host, channel, progress, epochCompleted);
        var model = train(observer);
        if (stop.IsCancellationRequested)
        {
            if (observer.Steps == 0)
                throw new OperationCanceledException("Training was stopped before its first step.", stop);
            channel.Warning(MessageSensitivity.None, "Training was stopped early; the best epoch so far is kept.");
        }

        return model;
    }
}
