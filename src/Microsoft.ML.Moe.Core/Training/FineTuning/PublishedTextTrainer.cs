using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// Trains a classifier of texts that begins with a published encoder, beside a linear model over words. Texts whose language the encoder
/// does not know are learned from nothing.
/// </summary>
internal sealed class PublishedTextTrainer : PublishedTrainer<EncodedText>
{
    /// <summary>How many of the last layers' states the frozen encoder is read by: three or four tell most.</summary>
    private const int FrozenLayers = 4;

    /// <summary>How many of them a pair is read by, where there are many rows: each counts fourfold.</summary>
    private const int LayersOfManyPairs = 1;

    /// <summary>Pairs that are many.</summary>
    private const int ManyPairs = 12_000;

    private readonly PublishedTextConfig _config;
    private readonly PublishedEncoderSource _source;
    private readonly int _classes;

    /// <summary>Prepares training.</summary>
    /// <param name="config">How it is trained.</param>
    /// <param name="source">The encoder.</param>
    /// <param name="classCount">Number of classes, C, at least 2.</param>
    /// <param name="engine">Where the model is trained and will live.</param>
    /// <exception cref="ArgumentException">The encoder cannot be made such a mixture, or a global workspace is to be where there is none.</exception>
    public PublishedTextTrainer(PublishedTextConfig config, PublishedEncoderSource source, int classCount, Engine engine)
        : base(config, source.Encoder, source.Folder.Key, classCount, engine)
    {
        CheckMixture(source.Upcycling?.Apply(source.Encoder) ?? source.Encoder);
        (_config, _source, _classes) = (config, source, classCount);
        Input = source.CreateInput(config.MaximumTokens, LinearInput.Undecided);
    }

    /// <summary>Encodes texts for training. The model's own may cut them shorter.</summary>
    public PublishedTextInput Input { get; }

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
        var (best, linear) = Learn(
            task,
            frozen,
            task.RowsFor(frozen.Input),
            states => task.BranchesOf(states, ((FeatureHead)frozen.Head).Emphasised, _config.LinearBranch),
            log,
            observer,
            stop);
        return WithLinear(best, linear, log);
    }

    /// <summary>Makes the frozen model; a pair's texts it reads apart.</summary>
    private Model<EncodedText> CreateFrozen(TextTuningTask task)
    {
        if (!task.IsPair)
            return task.CreateModel(Engine, FrozenLayers);
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
    private TextTuningTask TaskOf(TrainingRows<EncodedText> rows)
    {
        Example<EncodedText>[] training = [.. rows.Training.Where(row => row.Weight > 0)];
        Example<EncodedText>[] all = [.. training, .. rows.Validation.Where(row => row.Weight > 0)];
        var isPair = all.Any(row => row.Input.IsPair);
        var linear = _config.LinearBranch ? LinearBranchTraining.InputFor(training.Select(row => row.Input)) : LinearInput.None;
        var (length, bothEnds) = _config.LengthFor(
            [.. training.Select(row => row.Input.Length + row.Input.TokensCutOff)], _source.MaximumTokens, isPair);
        var input = _source.CreateInput(length, linear, bothEnds ? TextWindows.BothEnds : TextWindows.Whole);
        var read = input.Read(all, Engine);
        return new TextTuningTask(_source, _config, _classes)
        {
            Input = input,
            Sources = [.. all.Select(row => row.Input)],
            All = read,
            Weights = TuningTask<EncodedText>.WeightsOf(read, training.Length, _classes, Training.ClassWeighting),
            Training = [.. Enumerable.Range(0, training.Length)],
            Validation = [.. Enumerable.Range(training.Length, all.Length - training.Length)],
            IsPair = isPair,
            Plan = FineTuningPlan.For(
                _config.FineTuning, training.Length, _classes, Layers, isPair, bothEnds, FlopsOfLayer(read.Take(training.Length).Sum(row => (double)row.Input.Length))),
            Width = _source.Encoder.Width,
        };
    }

    private static Model<EncodedText> WithLinear(Candidate<EncodedText> best, LinearModel? linear, TrainingLog log)
    {
        if (linear is null)
            return best.Model;
        var weights = best.Scores?.FitWeights() ?? HeldOutScores.AssumedWeights;
        log.Say($"The encoder counts {weights.Encoder:F2}, the linear branch {weights.Linear:F2}.");
        return best.Model.WithBranch(new LinearBranch((TextInput)best.Model.Input, linear, weights));
    }
}
