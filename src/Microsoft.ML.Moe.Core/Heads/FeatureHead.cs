using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Heads;

/// <summary>
/// One of C classes, scored by one layer over numbers that are made of an encoder's states: they can be kept, and the layer be fitted to them
/// without the encoder.
/// </summary>
internal abstract class FeatureHead : ClassifierHead
{
    private readonly Parameter _weights;
    private readonly Parameter _bias;
    private readonly float _dropout;

    /// <summary>Creates the layer, of zeros.</summary>
    /// <param name="store">Makes its parameters.</param>
    /// <param name="width">Numbers that it reads, F.</param>
    /// <param name="classes">Number of classes, C.</param>
    /// <param name="dropout">Rate at which they are dropped while training.</param>
    private protected FeatureHead(ParameterStore store, int width, int classes, float dropout)
        : base(classes)
    {
        (Width, _dropout) = (width, dropout);
        _weights = store.Constant(WeightName, ParameterRole.Weight, 0f, width, classes);
        _bias = store.Constant(BiasName, ParameterRole.Bias, 0f, classes);
    }

    /// <summary>Numbers that the layer reads of a row, F.</summary>
    public int Width { get; }

    /// <summary>How many of them, the last ones, are worth more than others.</summary>
    public virtual int Emphasised => 0;

    /// <summary>The layer.</summary>
    public Probe Layer
    {
        get => new(Width, _weights.Value.ToArray(), _bias.Value.ToArray());
        set
        {
            _weights.Value.CopyFrom(value.Weights);
            _bias.Value.CopyFrom(value.Bias);
        }
    }

    /// <inheritdoc/>
    public override (double OfRow, double OfToken) Cost(int width) => ((double)Width * Outputs, 0);

    /// <summary>What the layer reads, [B, F].</summary>
    public abstract Tensor Features(Tape tape, EncoderOutput encoded, Batch batch);

    /// <inheritdoc/>
    public override Tensor Forward(Tape tape, EncoderOutput encoded, Batch batch) =>
        tape.Linear(tape.Dropout(Features(tape, encoded, batch), _dropout), _weights, _bias);
}
