using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Heads;

/// <summary>
/// One of C classes: token vectors are pooled by learned queries and by maximum, then one layer scores the classes.
/// </summary>
internal sealed class ClassesHead : Head
{
    /// <summary>Queries that pool the token vectors, Q.</summary>
    public const int PoolingQueries = 4;

    private const string Name = "head";
    private readonly ClassesHeadConfig _config;
    private readonly Linear _poolingScores;
    private readonly Linear _head;
    private readonly float _dropout;

    public ClassesHead(ParameterStore store, ClassesHeadConfig config, EncoderConfig encoder)
    {
        _config = config;
        _poolingScores = new Linear(store, "pooling", encoder.Width, PoolingQueries);
        _head = new Linear(store, Name, (PoolingQueries + 1) * encoder.Width, config.Classes, gain: 0.1f);
        _dropout = Math.Min(0.9f, encoder.Dropout * 1.5f);
    }

    /// <inheritdoc/>
    public override int Outputs => _config.Classes;

    /// <summary>Whether a parameter's last dimension is the classes.</summary>
    /// <param name="parameter">Name of the parameter.</param>
    public static bool IsOfClasses(string parameter) => parameter.StartsWith(Name + ".", StringComparison.Ordinal);

    /// <inheritdoc/>
    public override (double OfRow, double OfToken) Cost(int width) =>
        ((PoolingQueries + 1.0) * width * _config.Classes, 2.0 * PoolingQueries * width);

    /// <inheritdoc/>
    public override Tensor Forward(Tape tape, EncoderOutput encoded, Batch batch)
    {
        var xTD = encoded.Last;
        var pooled = tape.Concat(
            tape.AttentionPool(xTD, _poolingScores.Forward(tape, xTD), batch.Layout),
            tape.MaxPool(xTD, batch.Layout));
        return _head.Forward(tape, tape.Dropout(pooled, _dropout));
    }

    /// <inheritdoc/>
    public override void Write(Tape tape, Tensor scores, Span<float> outputs) => tape.Softmax(scores).CopyTo(outputs);

    /// <summary>Cross-entropy.</summary>
    public override Tensor Loss(Tape tape, Tensor scores, Batch batch, Targets targets, TrainingConfig training) =>
        tape.CrossEntropy(scores, targets.Classes, targets.Weights, training.LabelSmoothing);

    /// <summary>Negative log-likelihood in nats, and whether the most probable class is the target.</summary>
    public override void Measure(ReadOnlySpan<float> outputs, Targets targets, Measurement measurement)
    {
        var classes = _config.Classes;
        for (var i = 0; i < targets.Count; i++)
            measurement.AddProbability(outputs.Slice(i * classes, classes), targets.Classes[i]);
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

    /// <inheritdoc/>
    public override Head CreateHead(ParameterStore store, EncoderConfig encoder) => new ClassesHead(store, this, encoder);
}
