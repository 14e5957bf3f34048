using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// Trains a classifier that begins with a published encoder. First the encoder runs once over all rows, frozen; a layer over its
/// pooled last states and, beside it, perhaps a linear model are fitted, and how much each of the two counts, by scores of rows that
/// neither has learned from. Then, where the table calls for it, the last blocks are fine-tuned, and take the frozen ones' place if they
/// are better on rows held out. So the result is never worse than any of its parts, but for what a choice by a part of the rows can err.
/// </summary>
/// <typeparam name="TRow">A row as the model reads it.</typeparam>
internal abstract class PublishedTrainer<TRow> : Trainer<TRow>
{
    /// <summary>Bytes of token states that are kept at most; beyond, the first blocks run again in each pass.</summary>
    private const long MostKeptBytes = 1L << 29;

    private readonly PublishedTrainingConfig _config;
    private readonly PublishedConfig _encoder;
    private readonly int _classes;
    private readonly string _key;
    private readonly LinearFit _linearFit;
    private readonly ProbeFit _probeFit;

    /// <summary>Prepares training.</summary>
    /// <param name="config">How it is trained.</param>
    /// <param name="encoder">The encoder as it is published.</param>
    /// <param name="key">Tells its weights from others.</param>
    /// <param name="classCount">Number of classes, C, at least 2.</param>
    /// <param name="engine">Where the model is trained and will live.</param>
    private protected PublishedTrainer(PublishedTrainingConfig config, PublishedConfig encoder, string key, int classCount, Engine engine)
        : base(config.Training, engine)
    {
        ClassTargets.CheckCount(classCount);
        (_config, _encoder, _classes, _key) = (config, encoder, classCount, key);
        _linearFit = new LinearFit(classCount, engine.HostThreads);
        _probeFit = new ProbeFit(engine, classCount, config.Training.Seed);
    }

    /// <summary>Layers of the encoder that can be trained: its blocks, and what counts as layers before them.</summary>
    private protected int Layers => _encoder.EmbeddingLayers + _encoder.Layers;

    /// <summary>Checks what is asked for of a mixture against the encoder as it is trained.</summary>
    /// <exception cref="ArgumentException">A global workspace is to be where there is none.</exception>
    private protected void CheckMixture(EncoderConfig encoder) =>
        Training.GlobalWorkspace?.Check(encoder.Experts, encoder.MoeLayers == 0 ? null : encoder.MoeBlocks);

    private protected override void Check(Example<TRow> row, string parameter) => ClassTargets.Check(row.Target, _classes, parameter);

    /// <summary>Floating-point operations of the products of one layer, forward and twice as many backward.</summary>
    /// <param name="tokens">Tokens of all rows.</param>
    private protected double FlopsOfLayer(double tokens) => 3 * 2 * _encoder.CostOfLayer * tokens;

    /// <summary>Fits what is over the frozen encoder, and fine-tunes it.</summary>
    /// <param name="task">The rows, and how they are learned.</param>
    /// <param name="frozen">The frozen model.</param>
    /// <param name="rows">All rows as it reads them.</param>
    /// <param name="branchesOf">What a layer over the encoder and a linear model read of all rows.</param>
    /// <param name="log">Is told what is done.</param>
    /// <param name="observer">Receives the progress of fine-tuning.</param>
    /// <param name="stop">Ends it; during fine-tuning the better of what is there is kept.</param>
    /// <returns>The best model, and the linear model; null without one.</returns>
    private protected (Candidate<TRow> Best, LinearModel? Linear) Learn(
        TuningTask<TRow> task,
        Model<TRow> frozen,
        IReadOnlyList<TRow> rows,
        Func<FrozenStates, BranchExamples> branchesOf,
        TrainingLog log,
        ITrainingObserver? observer,
        CancellationToken stop)
    {
        var tuning = new TunedEncoder<TRow>(Training, _encoder, _classes, Engine, _probeFit, log);
        // in what is filled up with padding, tokens of a row are not its own alone
        var keeps = task.ReadsAsBefore && task.Tokens * task.Width * sizeof(ushort) <= MostKeptBytes && !frozen.Packing().PadToLongest;
        var keptAfter = keeps && task.Plan is { } plan && plan.Layers < Layers && plan.Layers <= _encoder.Layers ? _encoder.Layers - plan.Layers : (int?)null;
        var states = new FrozenPass<TRow>(frozen, _config.KeptStates, _key).Run(
            rows, keptAfter, done => log.Progress("Frozen encoder", done, task.All.Length), stop);
        TrainingLog.ReleaseMemory();
        log.Say($"The frozen encoder has read {task.All.Length} rows, {task.Tokens} tokens.");

        var heldOut = new HeldOutScoring(Engine, _probeFit, _linearFit, _classes, Training.Seed);
        var branches = branchesOf(states);
        var learned = branches.Select(task.Training);
        HeldOutScores? scores = task.Validation.Length > 0
            ? heldOut.On(learned, branches.Select(task.Validation), stop)
            : task.Training.Length >= StratifiedSplit.FewestRowsToHoldOut ? heldOut.OutOfFold(learned, stop) : null;
        if (scores is not null)
            log.Say($"Frozen encoder{(learned.Linear is null ? "" : " and linear model")}: log-loss {scores.Loss:F4}, accuracy {scores.Accuracy:P2} on {scores.Labels.Length} rows that they have not learned from.");

        var linear = learned.Linear is null ? null : _linearFit.Fit(
            learned.Linear, heldOut.Strength > 0 ? heldOut.Strength : LinearFit.UsualStrength, heldOut.Linear, stop: stop);
        var strength = heldOut.ProbeStrength > 0 ? heldOut.ProbeStrength : _probeFit.Strengths(learned.Encoder)[^1];
        ((FeatureHead)frozen.Head).Layer = _probeFit.Fit(
            learned.Encoder, ProbeDescent.OfFrozen(task.Training.Length, _classes), strength, stop);
        log.Progress("Frozen encoder", task.All.Length, task.All.Length);
        TrainingLog.ReleaseMemory();

        var best = new Candidate<TRow>(frozen, scores);
        // without rows to compare by, it is the caller's choice
        var mayTune = scores is not null || _config.FineTuning.Scope != FineTuningScope.Auto;
        if (task.Plan is not null && mayTune && !stop.IsCancellationRequested)
            best = tuning.Improve(best, task, states, learned.Encoder, observer, stop);
        return (best, linear);
    }
}

/// <summary>A model that a training may end with, and what it and the linear model say of rows that they have not learned from.</summary>
/// <typeparam name="TRow">A row as the model reads it.</typeparam>
/// <param name="Model">The model.</param>
/// <param name="Scores">The scores; null where no rows were held out.</param>
internal sealed record Candidate<TRow>(Model<TRow> Model, HeldOutScores? Scores);
