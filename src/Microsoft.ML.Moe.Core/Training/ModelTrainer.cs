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
public abstract class ModelTrainer<TRow> : Trainer<TRow>
{
    private readonly WarmStart? _start;

    private protected ModelTrainer(EncoderConfig encoder, TrainingConfig training, Engine engine, WarmStart? start = null)
        : base(training.Check(encoder.Check()), engine) => (Encoder, _start) = (encoder, start);

    /// <summary>The architecture.</summary>
    private protected EncoderConfig Encoder { get; }

    private protected override Model<TRow> Learn(TrainingRows<TRow> rows, ITrainingObserver? observer, CancellationToken stop)
    {
        rows = Arrange(rows, observer, stop);
        var (training, validation, _) = rows;

        var (input, head) = CreateEnds(training);
        TrainingMemory.Check(
            Encoder, input.Config, head, Engine is ManagedEngine ? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes : null);
        var store = new ParameterStore(Engine, Training.Seed, _start is null ? null : _start.StartOf) { UsedRows = UsedRows(training) };
        var config = new ModelConfig { Input = input.Config, Encoder = Encoder, Head = head };
        var model = new Model<TRow>(Engine, config, input, store);
        using var optimizer = ModelOptimizer.Create(Engine, store, Training);
        Parameter[] parameters = [.. store.All.Select(p => p.Parameter)];
        var packer = CreatePacker(model);
        var objective = CreateObjective(model, packer, rows, () => Evaluate(model, validation, packer));
        var identity = new TrainingIdentity(Engine, () => DigestOf(model, parameters, training, validation));
        var checkpoint = identity.Checkpoint(Training.CheckpointFile);
        var schedule = TrainingSchedule.From(Training, EpochsFor(training));
        schedule = schedule with
        {
            Sizes =
            [
                .. schedule.Sizes,
                new(nameof(Encoder.LoadBalancingCoefficient), Encoder.LoadBalancingCoefficient, 1e-2),
                new(nameof(Encoder.RouterZLossCoefficient), Encoder.RouterZLossCoefficient, 1e-2),
            ],
        };
        new TrainingLoop(schedule, objective, optimizer, parameters, identity, observer, checkpoint).Execute(stop);
        ModelOptimizer.Unfreeze(store);
        // what ranks do apart they do alike
        return Finish(model, rows, observer, Training.DataParallel is { } parallel ? new CancellationToken(parallel.HasStopped) : stop);
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

    /// <summary>What is learned of the rows.</summary>
    private protected virtual ModelObjective<TRow> CreateObjective(
        Model<TRow> model, Packer<TRow> packer, TrainingRows<TRow> rows, Func<(double Loss, double Metric)?> evaluate) =>
        new(model, packer, rows.Training, rows.Validation, Training, evaluate);

    /// <summary>By what the best epoch is chosen: loss and metric on validation rows; null where there are none.</summary>
    private protected virtual (double Loss, double Metric)? Evaluate(
        Model<TRow> model, IReadOnlyList<Example<TRow>> validation, Packer<TRow> packer) => model.Measure(validation, packer).Result;

    /// <summary>Passes over the rows where the configuration leaves it open.</summary>
    private protected abstract int EpochsFor(IReadOnlyList<Example<TRow>> training);

    /// <summary>For each row of embedding tables whether training uses it; null for all.</summary>
    private protected virtual bool[]? UsedRows(IReadOnlyList<Example<TRow>> training) => null;

    /// <summary>The model as it is handed out.</summary>
    /// <param name="model">The network, trained.</param>
    /// <param name="rows">What it was trained on.</param>
    /// <param name="observer">Is told what is chosen.</param>
    /// <param name="stop">Once it is requested, nothing more is learned.</param>
    private protected virtual Model<TRow> Finish(
        Model<TRow> model, TrainingRows<TRow> rows, ITrainingObserver? observer, CancellationToken stop) => model;

    private string DigestOf(
        Model<TRow> model, Parameter[] parameters, IReadOnlyList<Example<TRow>> training, IReadOnlyList<Example<TRow>> validation)
    {
        using var digest = new TrainingDigest();
        digest.AddJson(Training).AddJson(Encoder).AddJson((object)model.Config.Input).AddJson(model.Config.Head.ToString()).AddValues(parameters);
        digest.AddRows(model.Input, training).AddRows(model.Input, validation);
        AddTo(digest);
        return digest.ToString();
    }

    /// <summary>Takes what else decides a training into its digest.</summary>
    private protected abstract void AddTo(TrainingDigest digest);
}
