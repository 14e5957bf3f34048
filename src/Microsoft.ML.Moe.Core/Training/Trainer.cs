using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>Trains a model from examples. How a model learns, and of what kind of rows, is a derived class's.</summary>
/// <typeparam name="TRow">A row as the model reads it.</typeparam>
public abstract class Trainer<TRow>
{
    private protected Trainer(TrainingConfig training, Engine engine)
    {
        ArgumentNullException.ThrowIfNull(engine);
        (Training, Engine) = (training, engine);
    }

    /// <summary>Where the model is trained and will live.</summary>
    private protected Engine Engine { get; }

    /// <summary>How the model is trained.</summary>
    private protected TrainingConfig Training { get; }

    /// <summary>Trains a model.</summary>
    /// <param name="training">Rows to learn from, at least one.</param>
    /// <param name="validation">
    /// Rows to choose the best epoch by; null draws <see cref="TrainingConfig.ValidationShare"/> of the training rows.
    /// </param>
    /// <param name="observer">Receives the progress; null for none.</param>
    /// <param name="stop">Ends training after the current step and keeps the best that there is.</param>
    /// <returns>The model as it was after the best epoch, or after the last without validation rows.</returns>
    /// <exception cref="ArgumentException">There are no rows, or a row, target or weight is impossible.</exception>
    /// <exception cref="InvalidOperationException">The loss is no longer finite; the message tells epoch and learning rate.</exception>
    /// <exception cref="IOException"><see cref="TrainingConfig.CheckpointFile"/> cannot be written.</exception>
    /// <exception cref="InvalidDataException">The checkpoint is damaged or belongs to another training.</exception>
    public Model<TRow> Train(
        IReadOnlyList<Example<TRow>> training,
        IReadOnlyList<Example<TRow>>? validation = null,
        ITrainingObserver? observer = null,
        CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(training);
        TrainingCheckpoint.Try(Training.CheckpointFile, Training.DataParallel);
        Check(training, nameof(training));
        if (validation is not null)
            Check(validation, nameof(validation));
        // a row of weight 0 is as if it were not there, in training and in what chooses the best epoch
        training = Counting(training);
        if (training.Count == 0)
            throw new ArgumentException("There are no training rows, or all have weight 0.", nameof(training));
        if (validation?.Count > 0 && (validation = Counting(validation)).Count == 0)
            throw new ArgumentException("All validation rows have weight 0: none can choose the best epoch.", nameof(validation));
        var isDrawn = validation is null;
        if (isDrawn && Training.ValidationShare > 0)
        {
            (training, validation) = Split(training);
            if (validation.Count == 0)
            {
                observer?.OnWarning(
                    $"{nameof(Training.ValidationShare)} = {Training.ValidationShare} of {training.Count} rows leaves none to validate with: the last "
                    + $"epoch is kept{(Training.EarlyStoppingPatience is null ? "" : $", and {nameof(Training.EarlyStoppingPatience)} has no effect")}.");
            }
        }

        return Learn(new TrainingRows<TRow>(training, validation ?? [], isDrawn), observer, stop);
    }

    /// <summary>Trains a model of rows that are checked and divided.</summary>
    private protected abstract Model<TRow> Learn(TrainingRows<TRow> rows, ITrainingObserver? observer, CancellationToken stop);

    /// <summary>Throws where a row cannot be learned from.</summary>
    /// <exception cref="ArgumentException">It cannot.</exception>
    private protected abstract void Check(Example<TRow> row, string parameter);

    /// <summary>Draws validation rows.</summary>
    private protected virtual (IReadOnlyList<Example<TRow>> Training, IReadOnlyList<Example<TRow>> Validation) Split(
        IReadOnlyList<Example<TRow>> rows) => StratifiedSplit.Of(rows, Training.ValidationShare, new Random(Training.Seed));

    private static IReadOnlyList<Example<TRow>> Counting(IReadOnlyList<Example<TRow>> rows) =>
        rows.All(row => row.Weight > 0) ? rows : [.. rows.Where(row => row.Weight > 0)];

    private void Check(IReadOnlyList<Example<TRow>> rows, string parameter)
    {
        foreach (var row in rows)
        {
            Check(row, parameter);
            if (!(row.Weight >= 0 && float.IsFinite(row.Weight)))
                throw new ArgumentException($"A row has the weight {row.Weight}; weights are finite and at least 0.", parameter);
        }
    }
}
