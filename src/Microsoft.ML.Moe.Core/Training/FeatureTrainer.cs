using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>Trains a model from rows of features: a classifier, yes or no, or a number.</summary>
public sealed class FeatureTrainer : Trainer<FeatureRow>
{
    private const int SeedStep = 1_000_003;

    private readonly FeatureModelConfig _config;
    private readonly FeatureTask _task;
    private readonly WarmStart? _start;

    /// <summary>Prepares training.</summary>
    /// <param name="config">Architecture and training.</param>
    /// <param name="slots">Number of slots of a row, within [1, <see cref="FeatureRow.MaximumSlots"/>].</param>
    /// <param name="task">What is learned.</param>
    /// <param name="engine">Where the model is trained and will live.</param>
    /// <param name="start">
    /// What to start from; null for random weights. Encoding of the slots, architecture and router are then this model's, whatever the
    /// configuration says.
    /// </param>
    /// <exception cref="ArgumentException">
    /// Values of the configuration contradict each other, or rows have other slots than those of <paramref name="start"/>; the message names
    /// them.
    /// </exception>
    public FeatureTrainer(FeatureModelConfig config, int slots, FeatureTask task, Engine engine, WarmStart? start = null)
        : base(Checked(config).Training.Check(FeatureEncoderConfig.From(WarmStart.EncoderOf(start, config.Encoder)).Check()), engine)
    {
        ArgumentNullException.ThrowIfNull(task);
        ArgumentOutOfRangeException.ThrowIfLessThan(slots, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(slots, FeatureRow.MaximumSlots);
        if (config.SlotNames is { } names && names.Count != slots)
            throw new ArgumentException($"There are {names.Count} names for {slots} slots.", nameof(config));
        if (start is not null && (start.Input as FeatureInputConfig)?.Slots != slots)
            throw new ArgumentException(
                start.Input is FeatureInputConfig earlier
                    ? $"The earlier model reads rows of {earlier.Slots} slots; these have {slots}."
                    : "The earlier model reads no features.",
                nameof(start));
        (_config, _task, _start, Slots) = (config, task, start, slots);
    }

    /// <summary>Number of slots of a row.</summary>
    public int Slots { get; }

    private protected override void Check(Example<FeatureRow> row, string parameter)
    {
        _task.Check(row.Target, parameter);
        if (row.Input.Slots != Slots)
            throw new ArgumentException($"A row has {row.Input.Slots} slots, not {Slots}.", parameter);
    }

    private protected override (IReadOnlyList<Example<FeatureRow>> Training, IReadOnlyList<Example<FeatureRow>> Validation) Split(
        IReadOnlyList<Example<FeatureRow>> rows) => Split(rows, Training.Seed);

    private (IReadOnlyList<Example<FeatureRow>> Training, IReadOnlyList<Example<FeatureRow>> Validation) Split(
        IReadOnlyList<Example<FeatureRow>> rows, int seed)
    {
        if (rows.Count < StratifiedSplit.FewestRowsToHoldOut)
            return (rows, []);
        var (share, random) = (_config.ValidationShareOf(rows.Count), new Random(seed));
        return _task.IsStratified ? StratifiedSplit.Of(rows, share, random) : RandomSplit.Of(rows, share, random);
    }

    private protected override Model<FeatureRow> Learn(
        TrainingRows<FeatureRow> rows, ITrainingObserver? observer, CancellationToken stop)
    {
        var count = _config.NetworksFor(rows.Training.Count + (rows.IsDrawn ? rows.Validation.Count : 0));
        var first = Learn(rows, 0, _start?.Input as FeatureInputConfig, observer, stop);
        var further = new List<Model<FeatureRow>>();
        for (var network = 1; network < count && !stop.IsCancellationRequested; network++)
        {
            observer?.OnMessage($"Network {network + 1} of {count}.");
            further.Add(Learn(
                RowsOf(rows, network), network, (FeatureInputConfig)first.Config.Input, observer is null ? null : new StepsAlone(observer), stop));
        }

        return further.Count == 0 ? first : first.WithBranch(new FurtherNetworks(further, first.Head));
    }

    /// <summary>Trains one of the networks.</summary>
    private Model<FeatureRow> Learn(
        TrainingRows<FeatureRow> rows, int network, FeatureInputConfig? encoding, ITrainingObserver? observer, CancellationToken stop)
    {
        var settings = _config.For(rows.Training.Count, _task == FeatureTask.Value);
        var training = settings.Training with { Seed = SeedOf(network) };
        if (network > 0)
            training = training with { CheckpointFile = TrainingCheckpoint.Beside(training.CheckpointFile, $"{network + 1}") };
        return new TableTrainer(settings with { Training = training }, WarmStart.EncoderOf(_start, settings.Encoder), _task, Engine, _start, encoding, Check)
            .Train(rows.Training, rows.Validation, observer, stop);
    }

    /// <summary>The rows, divided anew where the division was drawn.</summary>
    private TrainingRows<FeatureRow> RowsOf(TrainingRows<FeatureRow> rows, int network)
    {
        if (!rows.IsDrawn || rows.Validation.Count == 0)
            return rows;
        var (training, validation) = Split([.. rows.Training, .. rows.Validation], SeedOf(network));
        return new TrainingRows<FeatureRow>(training, validation, rows.IsDrawn);
    }

    // far from the seeds that a caller would compare with each other
    private int SeedOf(int network) => unchecked(Training.Seed + network * SeedStep);

    private static FeatureModelConfig Checked(FeatureModelConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        return config;
    }

    /// <summary>Is told of steps, not of epochs: those are the first network's, of which a caller can draw one curve.</summary>
    private sealed class StepsAlone(ITrainingObserver observer) : ITrainingObserver
    {
        public void OnStep(int epoch, int step, int steps, double loss) => observer.OnStep(epoch, step, steps, loss);

        public void OnTimeLeft(TimeSpan left) => observer.OnTimeLeft(left);

        public void OnEpoch(EpochReport report)
        {
        }

        public void OnMessage(string message) => observer.OnMessage(message);

        public void OnWarning(string message) => observer.OnWarning(message);
    }

    /// <summary>Trains with the settings for one table.</summary>
    private sealed class TableTrainer(
        FeatureTraining settings,
        EncoderConfig encoder,
        FeatureTask task,
        Engine engine,
        WarmStart? start,
        FeatureInputConfig? encoding,
        Action<Example<FeatureRow>, string> check)
        : ModelTrainer<FeatureRow>(encoder, settings.Training, engine, start)
    {
        private protected override (Input<FeatureRow> Input, HeadConfig Head) CreateEnds(IReadOnlyList<Example<FeatureRow>> training)
        {
            Example<FeatureRow>[] weighted = [.. training.Where(row => row.Weight > 0)];
            var config = encoding ?? settings.Measurement.Measure([.. weighted.Select(row => row.Input)]);
            return (new FeatureInput(config), task.HeadOf(weighted, config.Members));
        }

        private protected override Packer<FeatureRow> CreatePacker(Model<FeatureRow> model) =>
            model.Input.CreatePacker(model.Packing(keepsLayouts: false));

        private protected override int EpochsFor(IReadOnlyList<Example<FeatureRow>> training) =>
            settings.Training.MaxEpochs ?? throw new InvalidOperationException("The recipe says how many epochs there are.");

        private protected override (double Loss, double Metric)? Evaluate(
            Model<FeatureRow> model, IReadOnlyList<Example<FeatureRow>> validation, Packer<FeatureRow> packer)
        {
            if (!settings.FitsTemperature || validation.Count == 0 || model.Config.Head is not MemberClassesHeadConfig)
                return base.Evaluate(model, validation, packer);
            var (_, loss, accuracy) = FitTemperature(model, validation);
            return (loss, accuracy);
        }

        private protected override Model<FeatureRow> Finish(
            Model<FeatureRow> model, TrainingRows<FeatureRow> rows, ITrainingObserver? observer, CancellationToken stop) =>
            settings.FitsTemperature && rows.Validation.Count > 0 && model.Config.Head is MemberClassesHeadConfig head
                ? model.WithHead(head with { Temperature = FitTemperature(model, rows.Validation).Temperature })
                : model;

        private protected override void Check(Example<FeatureRow> row, string parameter) => check(row, parameter);

        private protected override void AddTo(TrainingDigest digest) => digest.AddJson(task.ToString()).AddJson(settings.FitsTemperature);

        private static (float Temperature, double Loss, double Accuracy) FitTemperature(
            Model<FeatureRow> model, IReadOnlyList<Example<FeatureRow>> validation)
        {
            var classes = model.Outputs;
            var probabilities = new float[(long)validation.Count * classes];
            model.Score([.. validation.Select(row => row.Input)], probabilities);
            int[] targets = [.. validation.Select(row => (int)row.Target)];
            float[] weights = [.. validation.Select(row => row.Weight)];
            var (temperature, loss) = Temperature.Fit(probabilities, classes, targets, weights);
            var (right, weight) = (0.0, 0.0);
            for (var row = 0; row < targets.Length; row++)
            {
                weight += weights[row];
                right += Measurement.IndexOfMaximum(probabilities.AsSpan(row * classes, classes)) == targets[row] ? weights[row] : 0f;
            }

            return (temperature, loss, right / weight);
        }
    }
}

/// <summary>Draws a validation set of rows that belong to no classes.</summary>
internal static class RandomSplit
{
    /// <summary>Splits rows.</summary>
    /// <param name="rows">All rows.</param>
    /// <param name="share">Share to hold out, within [0, 1).</param>
    /// <param name="random">Random numbers.</param>
    public static (List<Example<TRow>> Training, List<Example<TRow>> Validation) Of<TRow>(
        IReadOnlyList<Example<TRow>> rows, float share, Random random)
    {
        var order = Enumerable.Range(0, rows.Count).ToArray();
        random.Shuffle(order);
        var isHeldOut = new bool[rows.Count];
        foreach (var i in order.Take((int)(rows.Count * (double)share)))
            isHeldOut[i] = true;
        var split = (Training: new List<Example<TRow>>(), Validation: new List<Example<TRow>>());
        for (var i = 0; i < rows.Count; i++)
            (isHeldOut[i] ? split.Validation : split.Training).Add(rows[i]);
        return split;
    }
}
