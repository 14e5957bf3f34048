using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>Learning to tell a row's class.</summary>
internal sealed class ClassifierObjective<TRow> : ITrainingObjective
{
    private readonly IClassifierOptions _options;
    private readonly Engine _engine;
    private readonly Classifier<TRow> _classifier;
    private readonly LabelledRow<TRow>[] _training;
    private readonly IReadOnlyList<LabelledRow<TRow>> _validation;
    private readonly float[] _classWeights;
    private readonly WorkspacePolicies? _workspace;
    private readonly PolicySelector? _policies;
    private readonly IClassifierForward<TRow> _forward;
    private readonly List<TRow> _rows = [];
    private int[] _targets = [];
    private float[] _weights = [];
    private ulong _seed;

    public ClassifierObjective(
        IClassifierOptions options,
        Engine engine,
        Classifier<TRow> classifier,
        IClassifierForward<TRow> forward,
        IReadOnlyList<LabelledRow<TRow>> training,
        IReadOnlyList<LabelledRow<TRow>> validation)
    {
        _options = options;
        _engine = engine;
        _classifier = classifier;
        _forward = forward;
        _training = [.. training.Where(row => row.Weight > 0)];
        _validation = validation;
        _classWeights = ClassWeights.For(_training.Select(r => r.Label), classifier.ClassCount, options.ClassWeighting);
        if (options.GlobalWorkspace is { } workspace)
        {
            _workspace = new WorkspacePolicies(workspace, classifier.Architecture.Experts, classifier.Architecture.MoeBlocks);
            _policies = _workspace.Select;
        }
    }

    /// <inheritdoc/>
    public int Examples => _training.Length;

    /// <inheritdoc/>
    public void BeginEpoch() => _workspace?.Calibrate(
        [.. _training.Select(row => row.Input)],
        (rows, observer) => _classifier.ScoreObserved(rows, new float[rows.Count * _classifier.ClassCount], observer));

    /// <inheritdoc/>
    public void Prepare(ReadOnlySpan<int> examples, Random random)
    {
        if (_targets.Length < examples.Length)
        {
            _targets = new int[examples.Length];
            _weights = new float[examples.Length];
        }

        _rows.Clear();
        for (var i = 0; i < examples.Length; i++)
        {
            var row = _training[examples[i]];
            _rows.Add(row.Input);
            (_targets[i], _weights[i]) = (row.Label, row.Weight * _classWeights[row.Label]);
        }

        _seed = (ulong)random.NextInt64();
        _forward.Pack(_rows, random);
    }

    /// <inheritdoc/>
    public LaterValue Accumulate(float scale)
    {
        ReadOnlySpan<int> targets = _targets.AsSpan(0, _rows.Count);
        ReadOnlySpan<float> weights = _weights.AsSpan(0, _rows.Count);
        using var tape = _engine.LeaseTape(training: true, _seed);
        var output = _forward.Run(tape, policies: _policies);
        var (loss, reported) = ClassifierLoss.Of(tape, output, targets, weights, _options.LabelSmoothing);
        tape.Backward(loss, scale);
        return reported.ReadLater();
    }

    /// <inheritdoc/>
    public (double Loss, double Accuracy)? Evaluate() => _validation.Count > 0 ? Evaluation.Of(_classifier, _validation) : null;
}
