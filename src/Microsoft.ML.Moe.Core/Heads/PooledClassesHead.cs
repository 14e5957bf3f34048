using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Heads;

/// <summary>
/// One of C classes, for published encoders: one layer scores the classes by the mean states after each of the last layers, side by side. The
/// layers before the last tell more of a text than the last, which was trained for another task.
/// </summary>
internal sealed class PooledClassesHead(ParameterStore store, PooledClassesHeadConfig config, EncoderConfig encoder)
    : FeatureHead(store, config.FeaturesOf(encoder.Width), config.Classes, config.Dropout)
{
    /// <inheritdoc/>
    public override Tensor Features(Tape tape, EncoderOutput encoded, Batch batch)
    {
        var pooled = PooledStates.Of(tape, encoded, batch.Layout, config.Layers);
        return config.ReadsFirstToken
            ? tape.Concat(pooled, tape.Embedding(encoded.Last, batch.Layout.Offsets[..batch.Layout.Sequences]))
            : pooled;
    }
}

/// <summary>What a model file tells of a <see cref="PooledClassesHead"/>.</summary>
internal sealed record PooledClassesHeadConfig : ClassifierHeadConfig
{
    /// <summary>How many of the last layers' states are read. Within [1, 64].</summary>
    public required int Layers { get; init => field = OptionCheck.Range(value, 1, 64, nameof(Layers)); }

    /// <summary>Sequences that a row is read as, side by side: 2 for a long text's beginning and end, else 1.</summary>
    public int Windows { get; init => field = OptionCheck.Range(value, 1, 2, nameof(Windows)); } = 1;

    /// <summary>
    /// Whether the last state of a sequence's first token is read too, after the means: images have one there that stands for them. A row
    /// is one sequence then.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool ReadsFirstToken { get; init; }

    /// <summary>Dropout rate of what the layer reads, while training, within [0, 1).</summary>
    public float Dropout { get; init => field = OptionCheck.Rate(value, nameof(Dropout)); } = 0.1f;

    /// <inheritdoc/>
    public override Head CreateHead(ParameterStore store, EncoderConfig encoder) => Layers <= encoder.Layers
        ? new PooledClassesHead(store, this, encoder)
        : throw new ArgumentOutOfRangeException(nameof(encoder), Layers, $"The encoder has {encoder.Layers} layers.");

    /// <summary>Numbers that the layer reads of a row.</summary>
    /// <param name="width">Width of token vectors, D.</param>
    public int FeaturesOf(int width) => checked((Windows * Layers + (ReadsFirstToken ? 1 : 0)) * width);
}
