using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>
/// Token vectors of images by convolutions: in each stage one that enters it, from the second on with stride 2, and a residual block x +
/// conv(relu(norm(conv(relu(norm(x)))))) (He et al. 2016); then positions, as with patches.
/// </summary>
internal sealed class ConvolutionalStem : TokenEmbedding
{
    /// <summary>Pixels of a window.</summary>
    public const int Places = Side * Side;

    private const int Side = 3;

    private readonly List<(Convolution Entry, ResidualConvolutions Block)> _stages = [];
    private readonly TokenPositions _positions;

    public ConvolutionalStem(ParameterStore store, ImageInputConfig config, EncoderConfig encoder)
    {
        foreach (var (inputs, outputs, entry) in config.Stem!.Stages(config.Size))
        {
            var name = $"stem.{_stages.Count}";
            _stages.Add((
                new Convolution(store, name + ".entry", inputs, outputs, entry),
                new ResidualConvolutions(
                    store, name, outputs, new ConvolutionSpec(entry.ResultHeight, entry.ResultWidth), config.Stem.BatchNorm)));
        }

        _positions = new TokenPositions(store, config.Grid.Patches, encoder);
    }

    /// <inheritdoc/>
    public override Tensor Forward(ForwardContext context, Batch batch)
    {
        var (tape, images) = (context.Tape, (ImageBatch)batch);
        var x = images.ValuesOn(tape);
        foreach (var (entry, block) in _stages)
            x = block.Forward(tape, entry.Forward(tape, x));
        return _positions.AddTo(tape, x, images);
    }

    /// <summary>A 3×3 convolution with bias.</summary>
    private sealed class Convolution(ParameterStore store, string name, int inputs, int outputs, ConvolutionSpec spec, float gain = 1f)
    {
        private readonly Parameter _weight = store.Normal(
            name + ".weight", ParameterRole.Weight, gain / MathF.Sqrt(Places * inputs), Places * inputs, outputs);

        private readonly Parameter _bias = store.Constant(name + ".bias", ParameterRole.Bias, 0f, outputs);

        public Tensor Forward(Tape tape, Tensor x) => tape.Convolution(x, _weight, _bias.Value, spec);
    }

    private sealed class ResidualConvolutions(ParameterStore store, string name, int width, ConvolutionSpec spec, bool ofBatch)
    {
        // what a rectifier leaves of the variance is half (He et al. 2015); the block begins as next to nothing
        private static readonly float FirstGain = MathF.Sqrt(2);
        private const float SecondGain = 0.1f;

        private readonly INorm _firstNorm = Norm(store, name + ".norm1", width, ofBatch);
        private readonly Convolution _first = new(store, name + ".conv1", width, width, spec, FirstGain);
        private readonly INorm _secondNorm = Norm(store, name + ".norm2", width, ofBatch);
        private readonly Convolution _second = new(store, name + ".conv2", width, width, spec, SecondGain);

        public Tensor Forward(Tape tape, Tensor x)
        {
            var hidden = _first.Forward(tape, tape.Activate(_firstNorm.Forward(tape, x), Activation.Relu));
            return tape.Add(x, _second.Forward(tape, tape.Activate(_secondNorm.Forward(tape, hidden), Activation.Relu)));
        }

        private static INorm Norm(ParameterStore store, string name, int width, bool ofBatch) =>
            ofBatch ? new BatchNorm(store, name, width) : new LayerNorm(store, name, width);
    }
}
