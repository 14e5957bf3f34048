using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>Learning what a model's head tells of a row, whatever kind of rows it reads.</summary>
internal class ModelObjective<TRow> : ITrainingObjective
{
    private readonly Model<TRow> _model;
    private readonly Packer<TRow> _packer;
    private readonly Example<TRow>[] _training;
    private readonly IReadOnlyList<Example<TRow>> _validation;
    private readonly TrainingConfig _config;
    private readonly Func<(double Loss, double Metric)?> _evaluate;
    private readonly float[]? _classWeights;
    private readonly WorkspacePolicies? _workspace;
    private readonly PolicySelector? _policies;
    private readonly List<TRow> _rows = [];
    private readonly Targets _targets = new();
    private Batch? _batch;
    private float _dropoutFactor = 1f;

    /// <summary>Creates the objective.</summary>
    /// <param name="model">The model.</param>
    /// <param name="packer">Packs rows for training.</param>
    /// <param name="training">Rows to learn from.</param>
    /// <param name="validation">Rows to measure the model on.</param>
    /// <param name="config">How it is trained.</param>
    /// <param name="evaluate">Measures the model in place of its head; null for the head.</param>
    public ModelObjective(
        Model<TRow> model,
        Packer<TRow> packer,
        IReadOnlyList<Example<TRow>> training,
        IReadOnlyList<Example<TRow>> validation,
        TrainingConfig config,
        Func<(double Loss, double Metric)?>? evaluate = null)
    {
        (_model, _packer, _validation, _config) = (model, packer, validation, config);
        _evaluate = evaluate ?? (() => _model.Measure(_validation, _packer).Result);
        _training = [.. training.Where(row => row.Weight > 0)];
        _classWeights = model.Head.ClassWeights(_training.Select(row => row.Target), config.ClassWeighting);
        if (config.GlobalWorkspace is { } workspace)
        {
            var encoder = model.Config.Encoder;
            _workspace = new WorkspacePolicies(workspace, encoder.Experts, model.Config.MoeBlocks, encoder.Layers);
            _policies = _workspace.Select;
        }
    }

    /// <inheritdoc/>
    public int Examples => _training.Length;

    /// <inheritdoc/>
    public IReadOnlyList<double> EpochState => _workspace?.Thresholds ?? [];

    /// <summary>The rows that are learned from.</summary>
    protected IReadOnlyList<Example<TRow>> Training => _training;

    /// <inheritdoc/>
    public void BeginEpoch(int epoch, IReadOnlyList<double>? state) => _workspace?.Begin(
        state,
        [.. _training.Select(row => row.Input)],
        (rows, observer) => _model.Score(rows, new float[rows.Count * _model.Outputs], observer));

    /// <inheritdoc/>
    public virtual void Arrange(Span<int> order, int batchSize, Random random)
    {
    }

    /// <inheritdoc/>
    public void Prepare(ReadOnlySpan<int> examples, Random random)
    {
        _rows.Clear();
        _targets.Begin(examples.Length);
        foreach (var example in examples)
        {
            var row = _training[example];
            _rows.Add(row.Input);
            _targets.Add(row.Target, _classWeights is null ? row.Weight : row.Weight * _classWeights[(int)row.Target]);
        }

        _batch = _packer.Pack(_rows, random, withNoise: true);
    }

    /// <inheritdoc/>
    public void BeginStep(double progress)
    {
        var left = _config.DropoutDecayShare == 0f ? 1 : (1 - progress) / _config.DropoutDecayShare;
        _dropoutFactor = left >= 1 ? 1f : (float)((1 - Math.Cos(Math.PI * left)) / 2);
    }

    /// <inheritdoc/>
    public LaterValue Accumulate(float scale)
    {
        if (_batch!.IsEmpty)
            return new LaterValue(0f);
        using var tape = _model.Engine.LeaseTape(training: true, _batch.Seed);
        tape.DropoutFactor = _dropoutFactor;
        // ranks would each have their own
        tape.KeepsStatistics = _config.DataParallel is not null;
        var scores = _model.Forward(tape, _batch, policies: _policies);
        return tape.BackwardWithAuxiliary(Loss(tape, _model.Head, scores, _batch, _targets, _config), scale);
    }

    /// <inheritdoc/>
    public virtual ValidationResult? Evaluate() => _evaluate() is var (loss, metric) ? new ValidationResult(loss, metric) : null;

    /// <summary>The loss of a batch.</summary>
    protected virtual Tensor Loss(Tape tape, Head head, Tensor scores, Batch batch, Targets targets, TrainingConfig config) =>
        head.Loss(tape, scores, batch, targets, config);
}
