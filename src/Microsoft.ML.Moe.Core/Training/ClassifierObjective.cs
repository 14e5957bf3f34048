using Microsoft.ML.Moe.Models;
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
        if (options.GlobalWorkspace is { } workspace)
            _workspace = new WorkspacePolicies(workspace, classifier.Config.Experts, classifier.Config.MoeBlocks);
    }

    /// <inheritdoc/>
    public int Examples => _training.Length;

    /// <inheritdoc/>
    public void BeginEpoch() => _workspace?.Calibrate(
        [.. _training.Select(row => row.Text)],
        (rows, observer) => _classifier.ScoreObserved(rows, new float[rows.Count * _classifier.ClassCount], observer));

    /// <inheritdoc/>
    public double Accumulate(ReadOnlySpan<int> examples, float scale, Random random)
    {
        var texts = new EncodedText[examples.Length];
        var targets = new int[examples.Length];
        var weights = new float[examples.Length];
        for (var i = 0; i < examples.Length; i++)
        {
            var row = _training[examples[i]];
            (texts[i], targets[i], weights[i]) = (row.Text, row.Label, row.Weight * _classWeights[row.Label]);
        }

        var noise = new InputNoise(random, _options.TokenMaskRate, _options.WordDropRate, _options.WideDropRate);
        using var tape = _engine.BeginTape(training: true, seed: (ulong)random.NextInt64());
        var output = _classifier.Network.Forward(tape, _classifier.Pack(texts, noise), policies: _workspace is null ? null : _workspace.Select);
        var (loss, reported) = ClassifierLoss.Of(tape, output, targets, weights, _options.LabelSmoothing);
        tape.Backward(loss, scale);
        return reported.ToArray()[0];
    }

    /// <inheritdoc/>
    public (double Loss, double Accuracy)? Evaluate() => _validation.Count > 0 ? Evaluation.Of(_classifier, _validation) : null;
}
