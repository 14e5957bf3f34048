using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Heads;

/// <summary>
/// One of C classes, for published encoders: one layer scores the classes by the mean states after each of the last layers, side by side. The
/// layers before the last tell more of a text than the last, which was trained for another task.
/// </summary>
internal sealed class PooledClassesHead : ClassifierHead
{
    private readonly PooledClassesHeadConfig _config;
    private readonly Parameter _weights;
    private readonly Parameter _bias;

    public PooledClassesHead(ParameterStore store, PooledClassesHeadConfig config, EncoderConfig encoder)
        : base(config.Classes)
    {
        _config = config;
        _weights = store.Constant(WeightName, ParameterRole.Weight, 0f, config.FeaturesOf(encoder.Width), config.Classes);
        _bias = store.Constant(BiasName, ParameterRole.Bias, 0f, config.Classes);
    }

    /// <summary>The layer that scores classes.</summary>
    public Probe Layer
    {
        get => new(_weights.Value.Shape[0], _weights.Value.ToArray(), _bias.Value.ToArray());
        set
        {
            _weights.Value.CopyFrom(value.Weights);
            _bias.Value.CopyFrom(value.Bias);
        }
    }

    /// <inheritdoc/>
    public override (double OfRow, double OfToken) Cost(int width) => ((double)_config.FeaturesOf(width) * _config.Classes, 0);

    /// <inheritdoc/>
    public override Tensor Forward(Tape tape, EncoderOutput encoded, Batch batch) => Forward(tape, Pool(tape, encoded, batch.Layout));

    /// <summary>Scores of pooled states.</summary>
    public Tensor Forward(Tape tape, Tensor pooledBF) => tape.Linear(tape.Dropout(pooledBF, _config.Dropout), _weights, _bias);

    /// <summary>What the layer reads.</summary>
    public Tensor Pool(Tape tape, EncoderOutput encoded, SequenceLayout layout) =>
        PooledStates.Of(tape, encoded, layout, _config.Layers, _config.Windows);
}

/// <summary>What a model file tells of a <see cref="PooledClassesHead"/>.</summary>
internal sealed record PooledClassesHeadConfig : ClassifierHeadConfig
{
    /// <summary>How many of the last layers' states are read. Within [1, 64].</summary>
    public required int Layers { get; init => field = OptionCheck.Range(value, 1, 64, nameof(Layers)); }

    /// <summary>Sequences that a row is read as, side by side: 2 for a long text's beginning and end, else 1.</summary>
    public int Windows { get; init => field = OptionCheck.Range(value, 1, 2, nameof(Windows)); } = 1;

    /// <summary>Dropout rate of what the layer reads, while training, within [0, 1).</summary>
    public float Dropout { get; init => field = OptionCheck.Rate(value, nameof(Dropout)); } = 0.1f;

    /// <inheritdoc/>
    public override Head CreateHead(ParameterStore store, EncoderConfig encoder) => new PooledClassesHead(store, this, encoder);

    /// <summary>Numbers that the layer reads of a row.</summary>
    /// <param name="width">Width of token vectors, D.</param>
    public int FeaturesOf(int width) => checked(Windows * Layers * width);
}
