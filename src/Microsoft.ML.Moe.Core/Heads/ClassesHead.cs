using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Heads;

/// <summary>
/// One of C classes: token vectors are pooled by learned queries and by maximum, then one layer scores the classes.
/// </summary>
internal sealed class ClassesHead : ClassifierHead
{
    /// <summary>Queries that pool the token vectors, Q.</summary>
    public const int PoolingQueries = 4;

    private readonly Linear _poolingScores;
    private readonly Linear _head;
    private readonly float _dropout;

    public ClassesHead(ParameterStore store, ClassesHeadConfig config, EncoderConfig encoder)
        : base(config.Classes)
    {
        _poolingScores = new Linear(store, "pooling", encoder.Width, PoolingQueries);
        _head = new Linear(store, Name, (PoolingQueries + 1) * encoder.Width, config.Classes, gain: 0.1f);
        _dropout = Math.Min(0.9f, encoder.Dropout * 1.5f);
    }

    /// <inheritdoc/>
    public override (double OfRow, double OfToken) Cost(int width) =>
        ((PoolingQueries + 1.0) * width * Outputs, 2.0 * PoolingQueries * width);

    /// <inheritdoc/>
    public override Tensor Forward(Tape tape, EncoderOutput encoded, Batch batch)
    {
        var xTD = encoded.Last;
        var pooled = tape.Concat(
            tape.AttentionPool(xTD, _poolingScores.Forward(tape, xTD), batch.Layout),
            tape.MaxPool(xTD, batch.Layout));
        return _head.Forward(tape, tape.Dropout(pooled, _dropout));
    }
}

/// <summary>What a model file tells of a <see cref="ClassesHead"/>.</summary>
internal sealed record ClassesHeadConfig : ClassifierHeadConfig
{
    /// <inheritdoc/>
    public override Head CreateHead(ParameterStore store, EncoderConfig encoder) => new ClassesHead(store, this, encoder);
}
