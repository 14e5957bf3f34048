using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models;

/// <summary>From token vectors to class scores: pooled by learned queries and by maximum, then one layer.</summary>
internal sealed class ClassifierHead
{
    /// <summary>Queries that pool the token vectors, Q.</summary>
    public const int PoolingQueries = 4;

    private const string Head = "head";

    private readonly Linear _poolingScores;
    private readonly Linear _head;
    private readonly float _dropout;

    public ClassifierHead(ParameterStore store, EncoderConfig config, int classes)
    {
        _poolingScores = new Linear(store, "pooling", config.Width, PoolingQueries);
        _head = new Linear(store, Head, (PoolingQueries + 1) * config.Width, classes, gain: 0.1f);
        _dropout = Math.Min(0.9f, config.Dropout * 1.5f);
    }

    /// <summary>Whether a parameter is of the layer whose last dimension is the classes.</summary>
    /// <param name="parameter">Name of the parameter.</param>
    public static bool IsOfClasses(string parameter) => parameter.StartsWith(Head + ".", StringComparison.Ordinal);

    /// <summary>[T, D] → [B, C].</summary>
    public Tensor Forward(Tape tape, Tensor xTD, SequenceLayout layout)
    {
        var pooled = tape.Concat(
            tape.AttentionPool(xTD, _poolingScores.Forward(tape, xTD), layout),
            tape.MaxPool(xTD, layout));
        return _head.Forward(tape, tape.Dropout(pooled, _dropout));
    }
}
