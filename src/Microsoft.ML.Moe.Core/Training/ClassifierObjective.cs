using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Text;

namespace Microsoft.ML.Moe.Training;

/// <summary>Learning to tell a text's class.</summary>
internal sealed class ClassifierObjective : ITrainingObjective
{
    private readonly TextClassifierOptions _options;
    private readonly Engine _engine;
    private readonly TextClassifier _classifier;
    private readonly LabelledText[] _training;
    private readonly IReadOnlyList<LabelledText> _validation;
    private readonly float[] _classWeights;
    private readonly WorkspacePolicies? _workspace;
    private readonly PolicySelector? _policies;
    private readonly TextBatchPacker _packer;
    private readonly List<EncodedText> _texts = [];
    private int[] _targets = [];
    private float[] _weights = [];
    private TextBatch? _batch;
    private ulong _seed;

    public ClassifierObjective(
        TextClassifierOptions options,
        Engine engine,
        TextClassifier classifier,
        IReadOnlyList<LabelledText> training,
        IReadOnlyList<LabelledText> validation)
    {
        _options = options;
        _engine = engine;
        _classifier = classifier;
        _training = [.. training.Where(row => row.Weight > 0)];
        _validation = validation;
        _classWeights = ClassWeights.For(_training.Select(r => r.Label), classifier.ClassCount, options.ClassWeighting);
        _packer = classifier.CreatePacker();
        if (options.GlobalWorkspace is { } workspace)
        {
            _workspace = new WorkspacePolicies(workspace, classifier.Config.Experts, classifier.Config.MoeBlocks);
            _policies = _workspace.Select;
        }
    }

    /// <inheritdoc/>
    public int Examples => _training.Length;

    /// <inheritdoc/>
    public void BeginEpoch() => _workspace?.Calibrate(
        [.. _training.Select(row => row.Text)],
        (rows, observer) => _classifier.ScoreObserved(rows, new float[rows.Count * _classifier.ClassCount], observer));

    /// <inheritdoc/>
    public void Prepare(ReadOnlySpan<int> examples, Random random)
    {
        if (_targets.Length < examples.Length)
        {
            _targets = new int[examples.Length];
            _weights = new float[examples.Length];
        }

        _texts.Clear();
        for (var i = 0; i < examples.Length; i++)
        {
            var row = _training[examples[i]];
            _texts.Add(row.Text);
            (_targets[i], _weights[i]) = (row.Label, row.Weight * _classWeights[row.Label]);
        }

        var noise = new InputNoise(random, _options.TokenMaskRate, _options.WordDropRate, _options.WideDropRate);
        _seed = (ulong)random.NextInt64();
        _batch = _packer.Pack(_texts, noise);
    }

    /// <inheritdoc/>
    public Func<float> Accumulate(float scale)
    {
        ReadOnlySpan<int> targets = _targets.AsSpan(0, _texts.Count);
        ReadOnlySpan<float> weights = _weights.AsSpan(0, _texts.Count);
        using var tape = _engine.BeginTape(training: true, _seed);
        var output = _classifier.Network.Forward(tape, _batch!, policies: _policies);
        var (loss, reported) = ClassifierLoss.Of(tape, output, targets, weights, _options.LabelSmoothing);
        tape.Backward(loss, scale);
        return reported.ReadLater();
    }

    /// <inheritdoc/>
    public (double Loss, double Accuracy)? Evaluate() => _validation.Count > 0 ? Evaluation.Of(_classifier, _validation) : null;
}
