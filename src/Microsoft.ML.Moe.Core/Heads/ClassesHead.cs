using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Heads;

/// <summary>
/// One of C classes: token vectors are pooled by learned queries and by maximum, then one layer scores the classes. A wide branch adds its
/// own scores where there is one (Cheng et al. 2016, "Wide &amp; deep learning").
/// </summary>
internal sealed class ClassesHead : Head
{
    /// <summary>Queries that pool the token vectors, Q.</summary>
    public const int PoolingQueries = 4;

    private const string Name = "head";
    private const string WideTable = "wide.weight";
    private readonly ClassesHeadConfig _config;
    private readonly Linear _poolingScores;
    private readonly Linear _head;
    private readonly Parameter? _wideVC;
    private readonly float _dropout;

    public ClassesHead(ParameterStore store, ClassesHeadConfig config, EncoderConfig encoder)
    {
        _config = config;
        _poolingScores = new Linear(store, "pooling", encoder.Width, PoolingQueries);
        _head = new Linear(store, Name, (PoolingQueries + 1) * encoder.Width, config.Classes, gain: 0.1f);
        _dropout = Math.Min(0.9f, encoder.Dropout * 1.5f);
        if (config.WideBits > 0)
            _wideVC = store.Constant(WideTable, ParameterRole.Wide, 0f, 1 << config.WideBits, config.Classes);
    }

    /// <inheritdoc/>
    public override int Outputs => _config.Classes;

    /// <inheritdoc/>
    public override int WideBits => _config.WideBits;

    /// <summary>Whether a parameter's last dimension is the classes.</summary>
    /// <param name="parameter">Name of the parameter.</param>
    public static bool IsOfClasses(string parameter) =>
        parameter == WideTable || parameter.StartsWith(Name + ".", StringComparison.Ordinal);

    /// <inheritdoc/>
    public override (double OfRow, double OfToken) Cost(int width) =>
        ((PoolingQueries + 1.0) * width * _config.Classes, 2.0 * PoolingQueries * width);

    /// <inheritdoc/>
    public override HeadScores Forward(Tape tape, Tensor xTD, Batch batch)
    {
        var pooled = tape.Concat(
            tape.AttentionPool(xTD, _poolingScores.Forward(tape, xTD), batch.Layout),
            tape.MaxPool(xTD, batch.Layout));
        var deepBC = _head.Forward(tape, tape.Dropout(pooled, _dropout));
        if (_wideVC is null)
            return new HeadScores(deepBC);
        var wideBC = tape.EmbeddingBag(_wideVC, batch.Wide!);
        return new HeadScores(tape.Add(deepBC, wideBC), deepBC, wideBC);
    }

    /// <inheritdoc/>
    public override void Write(Tape tape, HeadScores scores, Span<float> outputs) => tape.Softmax(scores.Scores).CopyTo(outputs);

    /// <summary>
    /// Cross-entropy of the summed scores and, where there are two branches, of each branch by itself. Without the branches' own terms the
    /// one that learns faster leaves the other without gradient, and their sum is no better than the faster one; with them it is an
    /// ensemble of two good models.
    /// </summary>
    public override (Tensor Total, Tensor Reported) Loss(
        Tape tape, HeadScores scores, Batch batch, Targets targets, TrainingConfig training)
    {
        var smoothing = training.LabelSmoothing;
        var reported = tape.CrossEntropy(scores.Scores, targets.Classes, targets.Weights, smoothing);
        if (scores.Wide is null)
            return (reported, reported);
        var deep = tape.CrossEntropy(scores.Deep!, targets.Classes, targets.Weights, smoothing);
        var branches = tape.Add(deep, tape.CrossEntropy(scores.Wide, targets.Classes, targets.Weights, smoothing));
        return (tape.Add(reported, branches), reported);
    }

    /// <summary>Negative log-likelihood in nats, and whether the most probable class is the target.</summary>
    public override void Measure(Tape tape, HeadScores scores, Batch batch, Targets targets, Measurement measurement)
    {
        var classes = _config.Classes;
        var probabilities = measurement.Room(targets.Count * classes);
        Write(tape, scores, probabilities);
        for (var i = 0; i < targets.Count; i++)
            measurement.AddProbability(probabilities.Slice(i * classes, classes), targets.Classes[i]);
    }

    /// <inheritdoc/>
    public override float[] ClassWeights(IEnumerable<float> targets, ClassWeighting weighting) =>
        Training.ClassWeights.For(targets.Select(target => (int)target), _config.Classes, weighting);
}

/// <summary>What a model file tells of a <see cref="ClassesHead"/>.</summary>
internal sealed record ClassesHeadConfig : HeadConfig
{
    /// <summary>Most classes that a classifier can have.</summary>
    public const int MaximumClasses = 100_000;

    /// <summary>Number of classes, C.</summary>
    public required int Classes { get; init => field = OptionCheck.Range(value, 1, MaximumClasses, nameof(Classes)); }

    /// <summary>Binary logarithm of the wide table's rows; 0 without a wide branch.</summary>
    public int WideBits { get; init => field = OptionCheck.Range(value, 0, 24, nameof(WideBits)); }

    /// <inheritdoc/>
    public override Head CreateHead(ParameterStore store, EncoderConfig encoder) => new ClassesHead(store, this, encoder);
}
