using System.Runtime.InteropServices;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// Fine-tuning of the last blocks of a classifier with a published encoder: the first ones run without training, or their states are kept.
/// What is learned of a batch is a derived class's.
/// </summary>
/// <typeparam name="TRow">A row as the model reads it.</typeparam>
internal abstract class EncoderObjective<TRow> : ITrainingObjective
{
    private readonly TuningRows<TRow> _rows;
    private readonly IReadOnlyList<Example<TRow>> _validation;
    private readonly int _firstBlock;
    private readonly TrainingConfig _training;
    private readonly Packer<TRow> _packer;
    private readonly List<TRow> _inputs = [];
    private readonly List<int> _numbers = [];
    private readonly Targets _targets = new();
    private readonly WorkspacePolicies? _workspace;
    private Batch? _batch;

    /// <summary>Prepares it.</summary>
    /// <param name="model">The classifier; its head is a <see cref="FeatureHead"/>.</param>
    /// <param name="rows">Rows to learn from.</param>
    /// <param name="validation">Rows to measure each epoch by; empty for none.</param>
    /// <param name="firstBlock">Number of the first block that is trained.</param>
    /// <param name="training">Label smoothing and global workspace.</param>
    protected EncoderObjective(
        Model<TRow> model,
        TuningRows<TRow> rows,
        IReadOnlyList<Example<TRow>> validation,
        int firstBlock,
        TrainingConfig training)
    {
        (Model, _rows, _validation, _firstBlock, _training) = (model, rows, validation, firstBlock, training);
        Head = (FeatureHead)model.Head;
        _packer = model.Input.CreatePacker(model.Packing());
        if (training.GlobalWorkspace is { } workspace && model.Experts > 0)
            _workspace = new WorkspacePolicies(workspace, model.Config.Encoder.Experts, model.Config.MoeBlocks);
    }

    /// <inheritdoc/>
    public abstract int Examples { get; }

    /// <summary>The classifier.</summary>
    protected Model<TRow> Model { get; }

    /// <summary>Its head.</summary>
    protected FeatureHead Head { get; }

    /// <inheritdoc/>
    public IReadOnlyList<double> EpochState => _workspace?.Thresholds ?? [];

    /// <inheritdoc/>
    public virtual void BeginEpoch(int epoch, IReadOnlyList<double>? state) => _workspace?.Begin(
        state,
        [.. _rows.Examples.Select(row => row.Input)],
        (rows, observer) => Model.Score(rows, new float[rows.Count * Model.Outputs], observer));

    /// <inheritdoc/>
    public void Prepare(ReadOnlySpan<int> examples, Random random)
    {
        _inputs.Clear();
        _numbers.Clear();
        Choose(examples, _numbers);
        _targets.Begin(_numbers.Count);
        foreach (var number in _numbers)
        {
            var row = _rows.Examples[number];
            _inputs.Add(row.Input);
            _targets.Add(row.Target, _rows.Weights[number]);
        }

        _batch = (_rows.Packer ?? _packer).Pack(_inputs, random, withNoise: true);
    }

    /// <inheritdoc/>
    public LaterValue Accumulate(float scale)
    {
        using var tape = Model.Engine.LeaseTape(training: true, _batch!.Seed);
        // batch norm goes on with what it has seen of the many images that the encoder was trained on
        tape.KeepsStatistics = true;
        var context = new ForwardContext(tape, _batch.Layout, policies: _workspace is null ? null : _workspace.Select);
        var encoded = Model.Blocks.Forward(context, FirstStates(context), _firstBlock);
        return tape.BackwardWithAuxiliary(Loss(tape, encoded, _batch, _targets, _training.LabelSmoothing), scale);
    }

    /// <inheritdoc/>
    public ValidationResult? Evaluate() => ValidationResult.Of(Model.Measure(_validation, _packer));

    /// <summary>Turns examples of the loop into rows.</summary>
    /// <param name="examples">Numbers of the examples.</param>
    /// <param name="rows">Receives numbers of rows.</param>
    protected abstract void Choose(ReadOnlySpan<int> examples, List<int> rows);

    /// <summary>The loss of a batch.</summary>
    protected abstract Tensor Loss(Tape tape, EncoderOutput encoded, Batch batch, Targets targets, float labelSmoothing);

    /// <summary>States before the blocks that are trained.</summary>
    private Tensor FirstStates(ForwardContext context)
    {
        var tape = context.Tape;
        if (_rows.TrainsEmbedding)
            return Model.Embed(context, _batch!);
        if (_rows.Kept is { } kept)
            return kept.Of(tape, CollectionsMarshal.AsSpan(_numbers));
        using var first = Model.Engine.LeaseTape(training: false);
        var states = Model.Encode(first, _batch!, blocks: _firstBlock).Last;
        return tape.Constant(states.ToArray(), states.Shape[0], states.Shape[1]);
    }
}

/// <summary>Rows of a fine-tuning.</summary>
/// <typeparam name="TRow">A row as the model reads it.</typeparam>
/// <param name="Examples">The rows.</param>
/// <param name="Weights">Weight of each in the loss; the weight of its class is part of it.</param>
/// <param name="Kept">States after the blocks that are not trained; null where they are computed in each pass.</param>
internal sealed record TuningRows<TRow>(IReadOnlyList<Example<TRow>> Examples, float[] Weights, KeptStates? Kept)
{
    /// <summary>Whether layers before the blocks are trained too. Default false.</summary>
    public bool TrainsEmbedding { get; init; }

    /// <summary>Packs rows to learn from, changing them; null, the default, where they are packed as they are.</summary>
    public Packer<TRow>? Packer { get; init; }
}
