using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// Trains a model from examples: makes its input and head of the rows, its parameters of random numbers or an earlier model, and runs
/// the training loop. What kind of rows and what is learned of them is a derived class's.
/// </summary>
/// <typeparam name="TRow">A row as the model reads it.</typeparam>
public abstract class ModelTrainer<TRow>
{
    private readonly WarmStart? _start;

    private protected ModelTrainer(EncoderConfig encoder, TrainingConfig training, Engine engine, WarmStart? start = null)
    {
        ArgumentNullException.ThrowIfNull(engine);
        Encoder = encoder.Check();
        Training = training.Check(encoder);
        Engine = engine;
        _start = start;
    }

    /// <summary>Where the model is trained and will live.</summary>
    private protected Engine Engine { get; }

    /// <summary>The architecture.</summary>
    private protected EncoderConfig Encoder { get; }

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
    /// <exception cref="InvalidDataException">The checkpoint is damaged or belongs to another training.</exception>
    public Model<TRow> Train(
        IReadOnlyList<Example<TRow>> training,
        IReadOnlyList<Example<TRow>>? validation = null,
        ITrainingObserver? observer = null,
        CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(training);
        Check(training, nameof(training));
        if (!training.Any(row => row.Weight > 0))
            throw new ArgumentException("There are no training rows, or all have weight 0.", nameof(training));
        if (validation is not null)
            Check(validation, nameof(validation));
        var isDrawn = validation is null;
        if (isDrawn && Training.ValidationShare > 0)
            (training, validation) = Split(training);
        var rows = Arrange(new TrainingRows<TRow>(training, validation ?? [], isDrawn), observer, stop);
        (training, validation) = (rows.Training, rows.Validation);

        var (input, head) = CreateEnds(training);
        var store = new ParameterStore(Engine, Training.Seed, _start is null ? null : _start.StartOf) { UsedRows = UsedRows(training) };
        var config = new ModelConfig { Input = input.Config, Encoder = Encoder, Head = head };
        var model = new Model<TRow>(Engine, config, input, store);
        using var optimizer = ModelOptimizer.Create(Engine, store, Training);
        Parameter[] parameters = [.. store.All.Select(p => p.Parameter)];
        var objective = new ModelObjective<TRow>(model, CreatePacker(model), training, validation, Training);
        var checkpoint = Training.CheckpointFile is { } file
            ? new TrainingCheckpoint(file, DigestOf(model, parameters, training, validation))
            : null;
        new TrainingLoop(TrainingSchedule.From(Training, EpochsFor(training)), objective, optimizer, parameters, observer, checkpoint).Execute(stop);
        ModelOptimizer.Unfreeze(store);
        return Finish(model, rows, observer, stop);
    }

    /// <summary>Gets rows ready before there is a model.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="observer">Is told what is chosen.</param>
    /// <param name="stop">Ends it, with an exception.</param>
    private protected virtual TrainingRows<TRow> Arrange(TrainingRows<TRow> rows, ITrainingObserver? observer, CancellationToken stop) => rows;

    /// <summary>Input and head of the model, made of its training rows.</summary>
    private protected abstract (Input<TRow> Input, HeadConfig Head) CreateEnds(IReadOnlyList<Example<TRow>> training);

    /// <summary>Packs rows for training, with noise.</summary>
    private protected abstract Packer<TRow> CreatePacker(Model<TRow> model);

    /// <summary>Passes over the rows where the configuration leaves it open.</summary>
    private protected abstract int EpochsFor(IReadOnlyList<Example<TRow>> training);

    /// <summary>Throws where a row cannot be learned from.</summary>
    /// <exception cref="ArgumentException">It cannot.</exception>
    private protected abstract void Check(Example<TRow> row, string parameter);

    /// <summary>Draws validation rows.</summary>
    private protected virtual (IReadOnlyList<Example<TRow>> Training, IReadOnlyList<Example<TRow>> Validation) Split(
        IReadOnlyList<Example<TRow>> rows) => StratifiedSplit.Of(rows, Training.ValidationShare, new Random(Training.Seed));

    /// <summary>For each row of embedding tables whether training uses it; null for all.</summary>
    private protected virtual bool[]? UsedRows(IReadOnlyList<Example<TRow>> training) => null;

    /// <summary>The model as it is handed out.</summary>
    /// <param name="model">The network, trained.</param>
    /// <param name="rows">What it was trained on.</param>
    /// <param name="observer">Is told what is chosen.</param>
    /// <param name="stop">Once it is requested, nothing more is learned.</param>
    private protected virtual Model<TRow> Finish(
        Model<TRow> model, TrainingRows<TRow> rows, ITrainingObserver? observer, CancellationToken stop) => model;

    private void Check(IReadOnlyList<Example<TRow>> rows, string parameter)
    {
        foreach (var row in rows)
        {
            Check(row, parameter);
            if (!(row.Weight >= 0 && float.IsFinite(row.Weight)))
                throw new ArgumentException($"A row has the weight {row.Weight}; weights are finite and at least 0.", parameter);
        }
    }

    private string DigestOf(
        Model<TRow> model, Parameter[] parameters, IReadOnlyList<Example<TRow>> training, IReadOnlyList<Example<TRow>> validation)
    {
        using var digest = new TrainingDigest();
        digest.AddJson(Training).AddJson(Encoder).AddJson((object)model.Config.Input).AddValues(parameters);
        foreach (var rows in new[] { training, validation })
        {
            model.Input.AddTo(digest, rows.Select(row => row.Input));
            digest.AddJson(rows.Select(row => row.Target)).AddJson(rows.Select(row => row.Weight));
        }

        AddTo(digest);
        return digest.ToString();
    }

    /// <summary>Takes what else decides a training into its digest.</summary>
    private protected abstract void AddTo(TrainingDigest digest);
}
