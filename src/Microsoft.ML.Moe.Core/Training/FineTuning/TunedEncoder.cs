using System.Diagnostics;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>Fine-tunes the last blocks of a published encoder, and keeps them where they are better than the frozen ones.</summary>
/// <typeparam name="TRow">A row as the model reads it.</typeparam>
/// <param name="config">Seed, early end, checkpoint, global workspace.</param>
/// <param name="encoder">The encoder as it is published.</param>
/// <param name="classes">Number of classes.</param>
/// <param name="engine">Where to train.</param>
/// <param name="probeFit">Fits layers over it.</param>
/// <param name="log">Is told what is done.</param>
internal sealed class TunedEncoder<TRow>(
    TrainingConfig config, PublishedConfig encoder, int classes, Engine engine, ProbeFit probeFit, TrainingLog log)
{
    /// <summary>How many of the last layers' states the fine-tuned encoder is read by.</summary>
    private const int PooledLayers = 3;

    /// <summary>Share of the rows that is held out of a first fine-tuning, to tell whether it helps.</summary>
    private const float HeldOutShare = 0.1f;

    /// <summary>Makes the order of rows another in the second fine-tuning.</summary>
    private const int SeedOfSecond = 0x5A17;

    /// <summary>Fine-tunes on most of the rows, and, where that has helped and is done fast, once more on all.</summary>
    /// <param name="frozen">The frozen model.</param>
    /// <param name="task">The rows, and how they are learned.</param>
    /// <param name="states">What the frozen encoder makes of them.</param>
    /// <param name="features">The same, of the training rows, for layers over it.</param>
    /// <param name="observer">Receives the progress.</param>
    /// <param name="stop">Ends it; the better of what is there is kept.</param>
    public Candidate<TRow> Improve(
        Candidate<TRow> frozen,
        TuningTask<TRow> task,
        FrozenStates states,
        ProbeExamples features,
        ITrainingObserver? observer,
        CancellationToken stop)
    {
        var (learned, heldOut) = (task.Training, task.Validation);
        if (heldOut.Length == 0 && task.Training.Length >= StratifiedSplit.FewestRowsToHoldOut)
        {
            var (most, some) = StratifiedSplit.Of(
                [.. task.Training.Select(row => new Example<int>(row, task.All[row].Target))], HeldOutShare, new Random(config.Seed));
            (learned, heldOut) = ([.. most.Select(row => row.Input)], [.. some.Select(row => row.Input)]);
        }

        var best = frozen;
        try
        {
            foreach (var better in Better(frozen, task, states, features, learned, heldOut, observer, stop))
                best = better;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // what there was before is kept
        }

        return best;
    }

    /// <summary>What is better than the frozen model, each better than the one before.</summary>
    private IEnumerable<Candidate<TRow>> Better(
        Candidate<TRow> frozen,
        TuningTask<TRow> task,
        FrozenStates states,
        ProbeExamples features,
        int[] learned,
        int[] heldOut,
        ITrainingObserver? observer,
        CancellationToken stop)
    {
        var isContrast = task.Plan!.Loss == FineTuningLoss.Contrast;
        log.Say($"Fine-tuning of {task.Plan.Layers} layers by {task.Plan.Loss} on {learned.Length} rows, {task.Plan.Epochs} epochs.");
        var (tuned, _) = Tune(task, states, features, learned, isAgain: false, observer, stop);
        TrainingLog.ReleaseMemory();
        if (stop.IsCancellationRequested)
            yield break;
        if (isContrast)
            Head(tuned).Layer = FitLayer(tuned, task, learned, stop);
        if (heldOut.Length == 0 || frozen.Scores is null)
        {
            yield return new Candidate<TRow>(tuned, null);
            yield break;
        }

        var scores = Head(tuned).Layer.ScoreLogarithms(engine, FeaturesOf(tuned, task, heldOut, stop));
        int[] places = task.Validation.Length > 0 ? [.. Enumerable.Range(0, heldOut.Length)] : heldOut;
        var (before, after) = (frozen.Scores.Select(places), frozen.Scores.Select(places, scores));
        log.Say($"On {heldOut.Length} rows held out: log-loss {before.Loss:F4} before, {after.Loss:F4} after; accuracy {before.Accuracy:P2}, {after.Accuracy:P2}.");
        if (!(after.Loss < before.Loss))
            yield break;
        yield return new Candidate<TRow>(tuned, after);
        if (!isContrast || task.Validation.Length > 0)
            yield break;

        TrainingLog.ReleaseMemory();
        log.Say($"Fine-tuning once more, on all {task.Training.Length} rows.");
        var (again, trained) = Tune(task, states, features, task.Training, isAgain: true, observer, stop);
        if (stop.IsCancellationRequested)
            yield break;
        Average(trained, tuned);
        TrainingLog.ReleaseMemory();
        Head(again).Layer = FitLayer(again, task, task.Training, stop);
        yield return new Candidate<TRow>(again, after);
    }

    private static FeatureHead Head(Model<TRow> model) => (FeatureHead)model.Head;

    /// <returns>The fine-tuned model, and those of its parameters that were trained.</returns>
    private (Model<TRow> Model, Parameter[] Trained) Tune(
        TuningTask<TRow> task,
        FrozenStates states,
        ProbeExamples features,
        int[] learned,
        bool isAgain,
        ITrainingObserver? observer,
        CancellationToken stop)
    {
        var plan = task.Plan!;
        var training = isAgain ? config with { Seed = config.Seed ^ SeedOfSecond } : config;
        // of the states before the layers that are trained, the last are at hand
        var model = task.CreateModel(engine, Math.Min(PooledLayers, plan.Layers + 1));
        if (task.ReadsAsBefore)
            Head(model).Layer = probeFit.Fit(
                LastLayers(features, learned, model), ProbeDescent.OfFrozen(learned.Length, classes), probeFit.Strengths(features)[^1], stop);
        var first = Math.Max(0, encoder.Layers - plan.Layers);
        var trainsEmbedding = encoder.EmbeddingLayers > 0 && plan.Layers > encoder.Layers;
        var rows = new TuningRows<TRow>(task.All, task.Weights, states.Kept?.Blocks == first ? states.Kept : null)
        {
            TrainsEmbedding = trainsEmbedding,
            Packer = trainsEmbedding ? task.CreateAugmentingPacker() : null,
        };
        Example<TRow>[] validation = [.. task.Validation.Select(row => task.All[row])];
        EncoderObjective<TRow> objective = plan.Loss == FineTuningLoss.Contrast
            ? new ContrastObjective<TRow>(model, rows, learned, validation, first, training)
            : new ClassObjective<TRow>(model, rows, learned, validation, first, training);
        var batchSize = plan.Loss == FineTuningLoss.Contrast ? Math.Max(1, plan.BatchSize / 2) : plan.BatchSize;
        using var optimizer = FineTuningOptimizer.Create(
            engine, model.Parameters, encoder.Layers, plan, training.FreezeRouter, encoder.EmbeddingLayers);
        Parameter[] parameters = [.. model.Parameters.All.Select(p => p.Parameter).Where(p => !p.IsFrozen)];
        var schedule = new TrainingSchedule(
            plan.Epochs,
            batchSize,
            Math.Min(training.AccumulationSteps, batchSize),
            plan.LearningRate,
            training.WarmupShare,
            LearningRateDecay.Linear,
            training.MaxGradientNorm,
            training.EarlyStoppingPatience,
            training.Seed)
        {
            Parallel = training.DataParallel,
            Sizes =
            [
                new($"{nameof(FineTuning)}.{nameof(plan.LearningRate)}", plan.LearningRate, 2e-4),
                new($"{nameof(FineTuning)}.{nameof(plan.HeadLearningRate)}", plan.HeadLearningRate, 5e-3),
                new($"{nameof(FineTuning)}.{nameof(plan.WeightDecay)}", plan.WeightDecay, 0.05),
                new(nameof(EncoderConfig.LoadBalancingCoefficient), model.Config.Encoder.LoadBalancingCoefficient, 1e-2),
                new(nameof(EncoderConfig.RouterZLossCoefficient), model.Config.Encoder.RouterZLossCoefficient, 1e-2),
            ],
        };
        var identity = new TrainingIdentity(engine, () => DigestOf(model, task, trainsEmbedding ? task.Augmentation : null, learned));
        var file = training.CheckpointFile;
        var checkpoint = identity.Checkpoint(isAgain ? TrainingCheckpoint.Beside(file, "again") : file);
        new TrainingLoop(schedule, objective, optimizer, parameters, identity, observer, checkpoint).Execute(stop);
        FineTuningOptimizer.Unfreeze(model.Parameters);
        return (model, parameters);
    }

    /// <summary>
    /// Gives what was trained of a model the mean of its values and those of another: two that were fine-tuned from the same start are better
    /// together than each alone (Wortsman et al. 2022, "Model soups"). What was not trained is the same in both.
    /// </summary>
    private static void Average(Parameter[] trained, Model<TRow> other)
    {
        var named = other.Parameters.All.ToDictionary(p => p.Parameter.Name, p => p.Parameter);
        foreach (var parameter in trained)
        {
            if (ClassifierHead.IsOfClasses(parameter.Name))
                continue;
            var (values, others) = (parameter.Value.ToArray(), named[parameter.Name].Value.ToArray());
            for (var i = 0; i < values.Length; i++)
                values[i] = 0.5f * (values[i] + others[i]);
            parameter.Value.CopyFrom(values);
        }
    }

    private Probe FitLayer(Model<TRow> model, TuningTask<TRow> task, int[] rows, CancellationToken stop)
    {
        var features = FeaturesOf(model, task, rows, stop);
        return probeFit.Fit(features, ProbeDescent.OfTuned(rows.Length, classes), probeFit.Strengths(features)[^1], stop);
    }

    private ProbeExamples FeaturesOf(Model<TRow> model, TuningTask<TRow> task, int[] rows, CancellationToken stop)
    {
        var states = new FrozenPass<TRow>(model).Run(
            [.. rows.Select(row => task.All[row].Input)], keptAfter: null, done => log.Progress("Fine-tuned encoder", done, rows.Length), stop);
        return new ProbeExamples(
            states.Features, states.Width, [.. rows.Select(row => (int)task.All[row].Target)], [.. rows.Select(row => task.Weights[row])]);
    }

    /// <summary>What a model that pools fewer layers reads of some rows, of each of their sequences.</summary>
    private static ProbeExamples LastLayers(ProbeExamples all, int[] rows, Model<TRow> model)
    {
        var head = (PooledClassesHeadConfig)model.Config.Head;
        var (whole, part) = (all.Width / head.Windows, Head(model).Width / head.Windows);
        Debug.Assert(part <= whole, "The frozen encoder is read by more layers than the fine-tuned one.");
        var features = new float[rows.Length * part * head.Windows];
        for (var i = 0; i < rows.Length; i++)
            for (var window = 0; window < head.Windows; window++)
                all.FeaturesOf(rows[i]).Slice(window * whole + whole - part, part)
                    .CopyTo(features.AsSpan((i * head.Windows + window) * part));
        return all.Select(rows, features, part * head.Windows);
    }

    private string DigestOf(Model<TRow> model, TuningTask<TRow> task, AugmentationConfig? augmentation, int[] learned)
    {
        using var digest = new TrainingDigest();
        digest.AddJson(config).AddJson(task.Plan).AddJson((object)model.Config.Encoder).AddJson((object)model.Config.Input)
            .AddJson(model.Config.Head.ToString()).AddJson(learned).AddRows(model.Input, task.All).AddJson(task.Weights)
            .AddValues(model.Parameters.All.Select(p => p.Parameter));
        if (augmentation is not null)
            digest.AddJson(augmentation);
        return digest.ToString();
    }
}
