using System.Diagnostics;
using System.Globalization;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// Trains a classifier of texts that begins with a published encoder. First the encoder runs once over all rows, frozen; a layer over its
/// pooled last states and a linear model over words are fitted, and how much each of the two counts, by scores of rows that neither has
/// learned from. Then, where the table calls for it, the last blocks are fine-tuned, and take the frozen ones' place if they are better on
/// rows held out. So the result is never worse than any of its parts, but for what a choice by a tenth of the rows can err.
/// </summary>
internal sealed class PublishedTextTrainer : Trainer<EncodedText>
{
    /// <summary>How many of the last layers' states the frozen encoder is read by: three or four tell most.</summary>
    private const int FrozenLayers = 4;

    /// <summary>How many of the last layers' states the fine-tuned encoder is read by.</summary>
    private const int TunedLayers = 3;

    /// <summary>Share of the rows that is held out of a first fine-tuning, to tell whether it helps.</summary>
    private const float HeldOutShare = 0.1f;

    /// <summary>Rows below which none are held out.</summary>
    private const int FewestRowsToHoldOut = 50;

    /// <summary>Bytes of token states that are kept at most; beyond, the first blocks run again in each pass.</summary>
    private const long MostKeptBytes = 1L << 30;

    private readonly PublishedTextConfig _config;
    private readonly PublishedEncoderSource _source;
    private readonly int _classes;
    private readonly LinearFit _linearFit;
    private readonly ProbeFit _probeFit;

    /// <summary>Prepares training.</summary>
    public PublishedTextTrainer(PublishedTextConfig config, PublishedEncoderSource source, int classCount, Engine engine)
        : base(config.Training, engine)
    {
        ClassTargets.CheckCount(classCount);
        (_config, _source, _classes) = (config, source, classCount);
        _linearFit = new LinearFit(classCount, engine.HostThreads);
        _probeFit = new ProbeFit(engine, classCount, config.Training.Seed);
        Input = source.CreateInput(config.MaximumTokens, config.LinearBranch ? LinearInput.Undecided : LinearInput.None);
    }

    /// <summary>Encodes texts for training. The model's own may cut them shorter.</summary>
    public PublishedTextInput Input { get; }

    private int Layers => _source.Encoder.Layers;

    private protected override void Check(Example<EncodedText> row, string parameter) => ClassTargets.Check(row.Target, _classes, parameter);

    private protected override Model<EncodedText> Learn(TrainingRows<EncodedText> rows, ITrainingObserver? observer, CancellationToken stop)
    {
        var log = new StageLog(observer);
        var input = Adapt(ref rows, observer);
        Example<EncodedText>[] all = [.. rows.Training.Where(row => row.Weight > 0), .. rows.Validation.Where(row => row.Weight > 0)];
        var count = rows.Training.Count(row => row.Weight > 0);
        int[] training = [.. Enumerable.Range(0, count)];
        int[] validation = [.. Enumerable.Range(count, all.Length - count)];
        var weights = WeightsOf(all, count);
        var plan = FineTuningPlan.For(
            _config.FineTuning, count, _classes, Layers, all.Any(row => row.Input.IsPair), isLong: false);

        var frozen = CreateModel(input, FrozenLayers);
        log.Begin($"Frozen encoder: {Layers} layers over {all.Length} rows, {all.Sum(row => (long)row.Input.Length)} tokens.");
        var states = new FrozenPass(frozen, Math.Min(FrozenLayers, Layers), windows: 1).Run(
            [.. all.Select(row => row.Input)],
            plan is not null && plan.Layers < Layers && KeptStates.BytesOf(all.Sum(row => (long)row.Input.Length), frozen.Config.Encoder.Width) <= MostKeptBytes
                ? Layers - plan.Layers
                : null,
            done => log.Progress("Frozen encoder", done, all.Length),
            stop);
        var branches = BranchesOf(all, weights, states);

        log.Begin("Branches: scores of rows that they have not learned from.");
        var heldOut = new HeldOutScoring(
            Engine, (examples, token) => _probeFit.Fit(examples, ProbeDescent.OfFrozen(examples.Count, _classes), token), _linearFit, Training.Seed);
        var ofTraining = branches.Select(training);
        HeldOutScores? scores = validation.Length > 0
            ? heldOut.On(ofTraining, branches.Select(validation), stop)
            : count >= FewestRowsToHoldOut ? heldOut.OutOfFold(ofTraining, stop) : null;
        if (scores is not null)
            log.Say($"log-loss {scores.Loss:F4}, accuracy {scores.Accuracy:P2} on {scores.Labels.Length} rows");

        LinearModel? linear = null;
        if (ofTraining.Linear is not null)
            linear = _linearFit.Fit(ofTraining.Linear, heldOut.Strength > 0 ? heldOut.Strength : LinearFit.UsualStrength, heldOut.Linear, stop: stop);
        log.Begin("Layer over the frozen encoder.");
        ((PooledClassesHead)frozen.Head).Layer =
            _probeFit.Fit(ofTraining.Encoder, ProbeDescent.OfFrozen(count, _classes), stop);
        var best = new Candidate(frozen, scores);
        if (plan is not null && !stop.IsCancellationRequested)
            best = Tune(best, new TuningTask(input, plan, all, weights, states, branches, training, validation, rows.IsDrawn), log, observer, stop);
        return WithLinear(best, linear, input, observer);
    }

    /// <summary>Fine-tunes the encoder on most of the rows, and once more on all where it helped and is done fast.</summary>
    private Candidate Tune(Candidate frozen, TuningTask task, StageLog log, ITrainingObserver? observer, CancellationToken stop)
    {
        var (learned, heldOut) = (task.Training, task.Validation);
        if (heldOut.Length == 0 && task.Training.Length >= FewestRowsToHoldOut)
        {
            var (most, some) = StratifiedSplit.Of(
                [.. task.Training.Select(row => new Example<int>(row, task.All[row].Target))], HeldOutShare, new Random(Training.Seed));
            (learned, heldOut) = ([.. most.Select(row => row.Input)], [.. some.Select(row => row.Input)]);
        }

        log.Begin($"Fine-tuning of {task.Plan.Layers} layers by {task.Plan.Loss} on {learned.Length} rows.");
        var tuned = Tune(task, learned, observer, stop);
        var features = FeaturesOf(tuned, task, [.. learned, .. heldOut], log, stop);
        if (task.Plan.Loss == FineTuningLoss.Contrast)
            Head(tuned).Layer = _probeFit.Fit(
                features.Select([.. Enumerable.Range(0, learned.Length)]), ProbeDescent.OfTuned(learned.Length, _classes), stop);
        if (heldOut.Length == 0 || frozen.Scores is null)
            return new Candidate(tuned, null);

        var ofTuned = Head(tuned).Layer.ScoreLogarithms(Engine, features.Select([.. Enumerable.Range(learned.Length, heldOut.Length)]));
        int[] places = task.Validation.Length > 0 ? [.. Enumerable.Range(0, heldOut.Length)] : heldOut;
        var (before, after) = (frozen.Scores.Select(places), frozen.Scores.Select(places, ofTuned));
        log.Say($"log-loss {before.Loss:F4} → {after.Loss:F4}, accuracy {before.Accuracy:P2} → {after.Accuracy:P2} on {heldOut.Length} rows held out");
        if (after.Loss >= before.Loss || stop.IsCancellationRequested)
            return after.Loss >= before.Loss ? frozen : new Candidate(tuned, after);
        if (task.Plan.Loss != FineTuningLoss.Contrast || task.Validation.Length > 0)
            return new Candidate(tuned, after);

        log.Begin($"Fine-tuning once more, on all {task.Training.Length} rows.");
        var again = Tune(task, task.Training, observer, stop);
        Head(again).Layer = _probeFit.Fit(
            FeaturesOf(again, task, task.Training, log, stop), ProbeDescent.OfTuned(task.Training.Length, _classes), stop);
        return new Candidate(again, after);
    }

    private Model<EncodedText> Tune(TuningTask task, int[] learned, ITrainingObserver? observer, CancellationToken stop)
    {
        var model = CreateModel(task.Input, TunedLayers);
        var width = model.Config.Encoder.Width;
        var (pooled, kept) = (Math.Min(FrozenLayers, Layers), Math.Min(TunedLayers, Layers));
        var ofFrozen = LastLayers(task.Branches.Encoder.Select(learned), (pooled - kept) * width);
        Head(model).Layer = _probeFit.Fit(ofFrozen, ProbeDescent.OfFrozen(learned.Length, _classes), stop);

        var plan = task.Plan;
        var first = Layers - plan.Layers;
        var tuningRows = new TuningRows(task.All, task.Weights, task.States.Kept);
        Example<EncodedText>[] validation = [.. task.Validation.Select(row => task.All[row])];
        EncoderObjective objective = plan.Loss == FineTuningLoss.Contrast
            ? new ContrastObjective(model, tuningRows, learned, validation, first, Training)
            : new ClassObjective(model, tuningRows, learned, validation, first, Training);
        var batch = plan.Loss == FineTuningLoss.Contrast ? plan.BatchSize / 2 : plan.BatchSize;
        using var optimizer = FineTuningOptimizer.Create(
            Engine, model.Parameters, Layers, plan, _config.WeightDecay, Training.FreezeRouter);
        Parameter[] parameters = [.. model.Parameters.All.Select(p => p.Parameter).Where(p => !p.IsFrozen)];
        var schedule = new TrainingSchedule(
            plan.Epochs, batch, Training.AccumulationSteps, plan.LearningRate, Training.WarmupShare, LearningRateDecay.Linear,
            Training.MaxGradientNorm, Training.EarlyStoppingPatience, Training.Seed);
        new TrainingLoop(schedule, objective, optimizer, parameters, observer).Execute(stop);
        FineTuningOptimizer.Unfreeze(model.Parameters);
        return model;
    }

    private ProbeExamples FeaturesOf(Model<EncodedText> model, TuningTask task, int[] rows, StageLog log, CancellationToken stop)
    {
        var states = new FrozenPass(model, Math.Min(TunedLayers, Layers), windows: 1).Run(
            [.. rows.Select(row => task.All[row].Input)], keptAfter: null, done => log.Progress("Fine-tuned encoder", done, rows.Length), stop);
        return new ProbeExamples(
            states.Features,
            states.Width,
            [.. rows.Select(row => (int)task.All[row].Target)],
            [.. rows.Select(row => task.Weights[row])]);
    }

    /// <summary>Settles what of the input follows the training texts.</summary>
    private PublishedTextInput Adapt(ref TrainingRows<EncodedText> rows, ITrainingObserver? observer)
    {
        var linear = _config.LinearBranch ? LinearBranchTraining.InputFor(rows.Training.Select(row => row.Input)) : LinearInput.None;
        var input = _source.CreateInput(_config.MaximumTokens, linear);
        rows = rows with { Training = Read(rows.Training), Validation = Read(rows.Validation) };
        return input;

        Example<EncodedText>[] Read(IReadOnlyList<Example<EncodedText>> examples)
        {
            var read = examples.ToArray();
            Engine.ForEach(read.Length, i => read[i] = read[i] with { Input = input.Read(read[i].Input) });
            return read;
        }
    }

    /// <summary>Weights of rows, that of the class counted in.</summary>
    private float[] WeightsOf(Example<EncodedText>[] all, int training)
    {
        var ofClasses = ClassWeights.For(all.Take(training).Select(row => (int)row.Target), _classes, Training.ClassWeighting);
        return [.. all.Select(row => row.Weight * ofClasses[(int)row.Target])];
    }

    private BranchExamples BranchesOf(Example<EncodedText>[] all, float[] weights, FrozenStates states)
    {
        int[] labels = [.. all.Select(row => (int)row.Target)];
        return new BranchExamples(
            new ProbeExamples(states.Features, states.Width, labels, weights),
            _config.LinearBranch ? new LinearExamples([.. all.Select(row => row.Input.Linear!)], labels, weights) : null);
    }

    private Model<EncodedText> CreateModel(PublishedTextInput input, int layers) => _source.CreateModel(
        Engine, input, new PooledClassesHeadConfig { Classes = _classes, Layers = Math.Min(layers, Layers) }, Training.Seed);

    private Model<EncodedText> WithLinear(Candidate best, LinearModel? linear, PublishedTextInput input, ITrainingObserver? observer)
    {
        if (linear is null)
            return best.Model;
        var weights = best.Scores?.FitWeights() ?? HeldOutScores.AssumedWeights;
        observer?.OnMessage(string.Create(
            CultureInfo.InvariantCulture, $"The encoder counts {weights.Encoder:F2}, the linear branch {weights.Linear:F2}."));
        return new Model<EncodedText>(
            Engine, best.Model.Config, input, new ParameterStore(best.Model.Parameters), new LinearBranch(input, linear, weights));
    }

    private static PooledClassesHead Head(Model<EncodedText> model) => (PooledClassesHead)model.Head;

    private static ProbeExamples LastLayers(ProbeExamples rows, int leftOut)
    {
        var width = rows.Width - leftOut;
        var features = new float[rows.Count * width];
        for (var row = 0; row < rows.Count; row++)
            rows.FeaturesOf(row)[leftOut..].CopyTo(features.AsSpan(row * width));
        return rows with { Features = features, Width = width };
    }

    private sealed record Candidate(Model<EncodedText> Model, HeldOutScores? Scores);

    private sealed record TuningTask(
        PublishedTextInput Input,
        FineTuningPlan Plan,
        Example<EncodedText>[] All,
        float[] Weights,
        FrozenStates States,
        BranchExamples Branches,
        int[] Training,
        int[] Validation,
        bool IsDrawn);

    /// <summary>Tells the observer which stage runs and how long the one before it took.</summary>
    private sealed class StageLog(ITrainingObserver? observer)
    {
        private readonly Stopwatch _clock = Stopwatch.StartNew();

        public void Begin(string stage)
        {
            Say(stage);
        }

        public void Say(string text) =>
            observer?.OnMessage(string.Create(CultureInfo.InvariantCulture, $"[{_clock.Elapsed.TotalSeconds:F0} s] {text}"));

        public void Progress(string stage, int done, int total) => observer?.OnProgress(stage, done, total);
    }
}

/// <summary>A published encoder and its tokenizer.</summary>
/// <param name="Folder">The encoder's files.</param>
/// <param name="Tokenizer">Its tokenizer.</param>
internal sealed record PublishedEncoderSource(PublishedFolder Folder, IPublishedTokenizer Tokenizer)
{
    /// <summary>The architecture.</summary>
    public PublishedConfig Encoder => Folder.Encoder;

    /// <summary>What encodes texts for it.</summary>
    /// <param name="maximumTokens">Longest input; null for as much as the encoder reads.</param>
    /// <param name="linear">What a linear branch reads.</param>
    public PublishedTextInput CreateInput(int? maximumTokens, LinearInput linear) =>
        new(PublishedTextInputConfig.Of(Encoder, maximumTokens) with { Linear = linear }, Tokenizer);

    /// <summary>A model of the encoder under a new head. It is fine-tuned without dropout in its blocks.</summary>
    public Model<EncodedText> CreateModel(Engine engine, PublishedTextInput input, HeadConfig head, int seed) => Folder.Load(
        engine, input, head, seed, encoder => encoder with { Dropout = 0f, AttentionDropout = 0f });
}

/// <summary>How a classifier with a published encoder is trained.</summary>
internal sealed record PublishedTextConfig
{
    /// <summary>Longest input in tokens; null follows the training texts.</summary>
    public int? MaximumTokens { get; init; }

    /// <summary>Whether a linear model over words counts beside the encoder.</summary>
    public bool LinearBranch { get; init; } = true;

    /// <summary>How much of the encoder is trained.</summary>
    public FineTuning FineTuning { get; init; }

    /// <summary>Decoupled weight decay of matrices while fine-tuning.</summary>
    public float WeightDecay { get; init; } = 0.01f;

    /// <summary>Seed, class weights, validation.</summary>
    public TrainingConfig Training { get; init; } = new();
}
