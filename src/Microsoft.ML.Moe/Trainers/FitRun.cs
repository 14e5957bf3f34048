using System.Diagnostics;
using System.Globalization;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.Trainers;

/// <summary>A training inside <c>Fit</c>: on an engine of its own, with progress, log, and both ways to end it.</summary>
/// <param name="name">Name of the trainer.</param>
/// <param name="host">The estimator's; can cancel.</param>
/// <param name="channel">Takes the log.</param>
/// <param name="options">Device, callbacks and stop.</param>
internal sealed class FitRun(string name, IHost host, IChannel channel, MoeTrainerOptions options)
{
    private const double Mebibyte = 1 << 20;

    /// <summary>Takes the log.</summary>
    public IChannel Channel => channel;

    /// <summary>Checks, at every row that is read, whether reading was stopped or cancelled.</summary>
    /// <exception cref="OperationCanceledException">Reading was stopped or cancelled.</exception>
    public void CheckGoesOn()
    {
        Environments.ThrowIfCanceled(host);
        options.StopToken.ThrowIfCancellationRequested();
    }

    /// <summary>Trains a model.</summary>
    /// <param name="rowsOf">Gives what reads the rows of a trained model.</param>
    /// <param name="prepare">Reads the tables and gives what trains.</param>
    /// <returns>The model, which owns its engine.</returns>
    /// <exception cref="OperationCanceledException">It was cancelled, or stopped before its first step.</exception>
    public FittedModel<TRow> Run<TRow>(
        Func<Model<TRow>, RowSource<TRow>> rowsOf, Func<Engine, Func<ITrainingObserver, Model<TRow>>> prepare) =>
        Run(shared => new FittedModel<TRow>(shared, rowsOf(shared.Model)), prepare);

    /// <summary>Trains a model.</summary>
    /// <param name="finish">Makes what is returned of the trained model, which owns its engine.</param>
    /// <param name="prepare">Reads the tables and gives what trains.</param>
    /// <exception cref="OperationCanceledException">It was cancelled, or stopped before its first step.</exception>
    public TResult Run<TRow, TResult>(
        Func<SharedModel<Model<TRow>>, TResult> finish, Func<Engine, Func<ITrainingObserver, Model<TRow>>> prepare)
    {
        var engine = Engines.Create(host, options.Device, options.Precision, options.Threads);
        try
        {
            var model = Train(prepare(engine));
            channel.Info(MessageSensitivity.None, $"The model has {model.ParameterCount} parameters.");
            LogPeakMemory(engine);
            return finish(new SharedModel<Model<TRow>>(model, engine));
        }
        catch
        {
            engine.Dispose();
            throw;
        }
    }

    private TModel Train<TModel>(Func<ITrainingObserver, TModel> train)
    {
        using var progress = host.StartProgressChannel(name);
        var observer = new FitObserver(host, channel, progress, options.EpochCompleted, options.EvaluationCompleted);
        var model = train(observer);
        if (options.StopToken.IsCancellationRequested)
        {
            if (!observer.HasLearned)
                throw new OperationCanceledException("Training was stopped before its first step.", options.StopToken);
            channel.Warning(MessageSensitivity.None, "Training was stopped early; the best epoch so far is kept.");
        }

        return model;
    }

    /// <summary>Logs the engine's peak and the process's; nothing where the engine does not know its own.</summary>
    private void LogPeakMemory(Engine engine)
    {
        if (engine.PeakMemory is not { } bytes)
            return;
        using var process = Process.GetCurrentProcess();

        // not every system tells
        var peak = process.PeakWorkingSet64;
        var ofProcess = peak > 0 ? string.Create(CultureInfo.InvariantCulture, $", {peak / Mebibyte:F0} MiB the process") : "";
        channel.Info(
            MessageSensitivity.None,
            string.Create(
                CultureInfo.InvariantCulture,
                $"Peak memory of the managed engine: {bytes / Mebibyte:F0} MiB in buffers, "
                + $"{(engine.PackedWeights ?? 0) / Mebibyte:F0} MiB of them weights packed for scoring{ofProcess}."));
    }
}
