using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// Trains a classifier of texts that begins with a published encoder. First the encoder runs once over all rows, frozen; a layer over its
/// pooled last states and a linear model over words are fitted, and how much each of the two counts, by scores of rows that neither has
/// learned from. Then, where the table calls for it, the last blocks are fine-tuned, and take the frozen ones' place if they are better on
/// rows held out. So the result is never worse than any of its parts, but for what a choice by a part of the rows can err.
/// </summary>
internal sealed class PublishedTextTrainer : Trainer<EncodedText>
{
    /// <summary>How many of the last layers' states the frozen encoder is read by: three or four tell most.</summary>
    private const int FrozenLayers = 4;

    /// <summary>How many of them a pair is read by, where there are many rows: each counts fourfold.</summary>
    private const int LayersOfManyPairs = 1;

    /// <summary>Pairs that are many.</summary>
    private const int ManyPairs = 12_000;

    /// <summary>Bytes of token states that are kept at most; beyond, the first blocks run again in each pass.</summary>
    private const long MostKeptBytes = 1L << 29;

    private readonly PublishedTextConfig _config;
    private readonly PublishedEncoderSource _source;
    private readonly int _classes;
    private readonly LinearFit _linearFit;
    private readonly ProbeFit _probeFit;

    /// <summary>Prepares training.</summary>
    /// <param name="config">How it is trained.</param>
    /// <param name="source">The encoder.</param>
    /// <param name="classCount">Number of classes, C, at least 2.</param>
    /// <param name="engine">Where the model is trained and will live.</param>
    /// <exception cref="ArgumentException">The encoder cannot be made such a mixture, or a global workspace is to be where there is none.</exception>
    public PublishedTextTrainer(PublishedTextConfig config, PublishedEncoderSource source, int classCount, Engine engine)
        : base(config.Training, engine)
    {
        ClassTargets.CheckCount(classCount);
        var encoder = source.Upcycling?.Apply(source.Encoder) ?? source.Encoder;
        config.Training.GlobalWorkspace?.Check(encoder.Experts, encoder.MoeLayers == 0 ? null : encoder.MoeBlocks);
        (_config, _source, _classes) = (config, source, classCount);
        _linearFit = new LinearFit(classCount, engine.HostThreads);
        _probeFit = new ProbeFit(engine, classCount, config.Training.Seed);
        Input = source.CreateInput(config.MaximumTokens, LinearInput.Undecided);
    }

    /// <summary>Encodes texts for training. The model's own may cut them shorter.</summary>
    public PublishedTextInput Input { get; }

    private int Layers => _source.Encoder.Layers;

    private protected override void Check(Example<EncodedText> row, string parameter) => ClassTargets.Check(row.Target, _classes, parameter);

    private protected override Model<EncodedText> Learn(TrainingRows<EncodedText> rows, ITrainingObserver? observer, CancellationToken stop)
    {
        var suitability = EncoderSuitability.Of(rows.Training.Where(row => row.Weight > 0).Select(row => row.Input), _source.Tokenizer);
        if (!suitability.IsSuitable)
        {
            observer?.OnMessage($"The encoder does not know the texts' language: {suitability}.");
            if (_config.FineTuning.Scope == FineTuningScope.Auto)
                return LearnFromScratch(rows, observer, stop);
        }

        var log = new TrainingLog(observer);
        var task = TaskOf(rows);
        log.Say($"{task.Input.MaximumTokens} tokens at most of each {(task.Input.Config.Windows == TextWindows.BothEnds ? "end of a text" : "row")}.");
        var frozen = CreateFrozen(task);
        var tuning = new TunedEncoder(_config, _source, _classes, Engine, _probeFit, log);
        // in what is filled up with padding, tokens of a row are not its own alone
        var keeps = !task.IsPair && task.Tokens * task.Width * sizeof(ushort) <= MostKeptBytes && !frozen.Packing().PadToLongest;
        var keptAfter = keeps && task.Plan is { } plan && plan.Layers < Layers ? Layers - plan.Layers : (int?)null;
        var states = new FrozenPass(frozen, _config.KeptStates, _source.Key).Run(
            task.RowsFor(frozen.Input), keptAfter, done => log.Progress("Frozen encoder", done, task.All.Length), stop);
        TrainingLog.ReleaseMemory();
        log.Say($"The frozen encoder has read {task.All.Length} rows, {task.Tokens} tokens.");

        var heldOut = new HeldOutScoring(Engine, _probeFit, _linearFit, _classes, Training.Seed);
        var branches = task.BranchesOf(states, ((FeatureHead)frozen.Head).Emphasised, _config.LinearBranch);
        var learned = branches.Select(task.Training);
        HeldOutScores? scores = task.Validation.Length > 0
            ? heldOut.On(learned, branches.Select(task.Validation), stop)
            : task.Training.Length >= StratifiedSplit.FewestRowsToHoldOut ? heldOut.OutOfFold(learned, stop) : null;
        if (scores is not null)
            log.Say($"Frozen encoder and linear model: log-loss {scores.Loss:F4}, accuracy {scores.Accuracy:P2} on {scores.Labels.Length} rows that they have not learned from.");

        var linear = learned.Linear is null ? null : _linearFit.Fit(
            learned.Linear, heldOut.Strength > 0 ? heldOut.Strength : LinearFit.UsualStrength, heldOut.Linear, stop: stop);
        var strength = heldOut.ProbeStrength > 0 ? heldOut.ProbeStrength : _probeFit.Strengths(learned.Encoder)[^1];
        ((FeatureHead)frozen.Head).Layer = _probeFit.Fit(
            learned.Encoder, ProbeDescent.OfFrozen(task.Training.Length, _classes), strength, stop);
        log.Progress("Frozen encoder", task.All.Length, task.All.Length);
        TrainingLog.ReleaseMemory();

        var best = new Candidate(frozen, scores);
        // without rows to compare by, it is the caller's choice
        var mayTune = scores is not null || _config.FineTuning.Scope != FineTuningScope.Auto;
        if (task.Plan is not null && mayTune && !stop.IsCancellationRequested)
            best = tuning.Improve(best, task, states, learned.Encoder, observer, stop);
        return WithLinear(best, linear, log);
    }

    /// <summary>Makes the frozen model; a pair's texts it reads apart.</summary>
    private Model<EncodedText> CreateFrozen(TuningTask task)
    {
        if (!task.IsPair)
            return task.CreateModel(_source, Engine, _classes, FrozenLayers, _config);
        var input = _source.CreateInput(Math.Max(8, task.Input.MaximumTokens / 2), LinearInput.Words, TextWindows.Apart);
        var head = new PairClassesHeadConfig
        {
            Classes = _classes,
            Layers = Math.Min(Layers, task.Training.Length > ManyPairs ? LayersOfManyPairs : FrozenLayers),
            VocabularySize = _source.Encoder.VocabularySize,
        };
        var model = _source.CreateModel(Engine, input, head, Training.Seed);
        var rows = task.RowsFor(input);
        ((PairClassesHead)model.Head).SetRarity(RarityOf(rows, _source.Encoder.VocabularySize));
        if (_source.Upcycling is { } upcycling)
            UpcycledRouters.Start(upcycling, model, [.. task.Training.Select(row => rows[row])]);
        return model;
    }

    /// <summary>For each token the logarithm of the share of rows that have it, turned round: ln((1 + n)/(1 + rows with it)) + 1.</summary>
    private static float[] RarityOf(IReadOnlyList<EncodedText> rows, int vocabularySize)
    {
        var counts = new int[vocabularySize];
        foreach (var row in rows)
            foreach (var id in row.Ids!.Ids.Distinct())
                counts[id]++;
        return [.. counts.Select(count => (float)(Math.Log((1.0 + rows.Count) / (1 + count)) + 1))];
    }

    private Model<EncodedText> LearnFromScratch(TrainingRows<EncodedText> rows, ITrainingObserver? observer, CancellationToken stop)
    {
        observer?.OnMessage("A mixture of experts is trained from nothing in its place, beside the linear model.");
        var trainer = new TextClassifierTrainer(_config.FromScratch, _classes, Engine);
        // rows that were drawn are drawn once more, so that the linear model learns from them in the end
        return rows.IsDrawn
            ? trainer.Train(trainer.Input.Read([.. rows.Training, .. rows.Validation], Engine), null, observer, stop)
            : trainer.Train(trainer.Input.Read(rows.Training, Engine), trainer.Input.Read(rows.Validation, Engine), observer, stop);
    }

    /// <summary>Settles what follows from the training rows.</summary>
    private TuningTask TaskOf(TrainingRows<EncodedText> rows)
    {
        Example<EncodedText>[] training = [.. rows.Training.Where(row => row.Weight > 0)];
        Example<EncodedText>[] all = [.. training, .. rows.Validation.Where(row => row.Weight > 0)];
        var isPair = all.Any(row => row.Input.IsPair);
        var linear = _config.LinearBranch ? LinearBranchTraining.InputFor(training.Select(row => row.Input)) : LinearInput.None;
        var (length, bothEnds) = _config.LengthFor(
            [.. training.Select(row => row.Input.Length + row.Input.TokensCutOff)], _source.MaximumTokens, isPair);
        var input = _source.CreateInput(length, linear, bothEnds ? TextWindows.BothEnds : TextWindows.Whole);
        var read = input.Read(all, Engine);
        return new TuningTask
        {
            Input = input,
            Sources = [.. all.Select(row => row.Input)],
            All = read,
            Weights = WeightsOf(read, training.Length),
            Training = [.. Enumerable.Range(0, training.Length)],
            Validation = [.. Enumerable.Range(training.Length, all.Length - training.Length)],
            IsPair = isPair,
            Plan = FineTuningPlan.For(
                _config.FineTuning, training.Length, _classes, Layers, isPair, bothEnds, FlopsOfLayer(read.Take(training.Length))),
            Width = _source.Encoder.Width,
        };
    }

    /// <summary>Floating-point operations of the products of one layer, forward and twice as many backward, for all tokens.</summary>
    private double FlopsOfLayer(IEnumerable<Example<EncodedText>> rows)
    {
        double d = _source.Encoder.Width;
        return 3 * 2 * (4 * d * d + 2 * d * _source.Encoder.FeedForwardWidth) * rows.Sum(row => (double)row.Input.Length);
    }

    /// <summary>Weights of rows, that of the class counted in.</summary>
    private float[] WeightsOf(Example<EncodedText>[] all, int training)
    {
        var ofClasses = ClassWeights.For(all.Take(training).Select(row => (int)row.Target), _classes, Training.ClassWeighting);
        return [.. all.Select(row => row.Weight * ofClasses[(int)row.Target])];
    }

    private static Model<EncodedText> WithLinear(Candidate best, LinearModel? linear, TrainingLog log)
    {
        if (linear is null)
            return best.Model;
        var weights = best.Scores?.FitWeights() ?? HeldOutScores.AssumedWeights;
        log.Say($"The encoder counts {weights.Encoder:F2}, the linear branch {weights.Linear:F2}.");
        return best.Model.WithBranch(new LinearBranch((TextInput)best.Model.Input, linear, weights));
    }
}

/// <summary>A model that a training may end with, and what it and the linear model say of rows that they have not learned from.</summary>
/// <param name="Model">The model.</param>
/// <param name="Scores">The scores; null where no rows were held out.</param>
internal sealed record Candidate(Model<EncodedText> Model, HeldOutScores? Scores);
