using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>Tokens of a <see cref="ResNetConfig"/>: the pixels after the first block of its last stage.</summary>
internal sealed class ResNetEmbedding(ParameterStore store, ResNetConfig config) : TokenEmbedding
{
    private readonly NormedConvolution _first = new(store, config.First, config.NormEpsilon);
    private readonly ResidualBlock[] _blocks =
        [.. config.Blocks().Take(config.EmbeddingLayers - 1).Select(block => new ResidualBlock(store, block, config))];

    /// <inheritdoc/>
    public override Tensor Forward(ForwardContext context, Batch batch)
    {
        var (tape, images) = (context.Tape, (ImageBatch)batch);
        var x = tape.Activate(_first.Forward(tape, images.ValuesOn(tape)), config.Activation);
        x = tape.MaxPool(x, config.Pool);
        foreach (var block in _blocks)
            x = block.Forward(context, x);
        return x;
    }
}

/// <summary>A residual block of a <see cref="ResNetConfig"/>.</summary>
internal sealed class ResidualBlock(ParameterStore store, ResNetBlock block, ResNetConfig config) : IBlock
{
    private readonly NormedConvolution[] _convolutions = [.. block.Convolutions.Select(c => new NormedConvolution(store, c, config.NormEpsilon))];
    private readonly NormedConvolution? _shortcut = block.Shortcut is null ? null : new(store, block.Shortcut, config.NormEpsilon);

    /// <summary>Pixels of images, row by row → those that it gives, which are as many in a block of the encoder.</summary>
    public Tensor Forward(ForwardContext context, Tensor x)
    {
        var (tape, y) = (context.Tape, x);
        for (var i = 0; i < _convolutions.Length; i++)
            y = _convolutions[i].Forward(tape, i == 0 ? y : tape.Activate(y, config.Activation));
        return tape.Activate(tape.Add(y, _shortcut?.Forward(tape, x) ?? x), config.Activation);
    }
}

/// <summary>A convolution and its batch norm.</summary>
internal sealed class NormedConvolution(ParameterStore store, ImageConvolution convolution, float epsilon)
{
    // variance of what a rectifier halves (He et al. 2015)
    private const float Variance = 2f;

    private readonly Parameter _weight = store.Normal(
        convolution.Name + ".weight",
        ParameterRole.Weight,
        MathF.Sqrt(Variance / convolution.WindowValues),
        convolution.WindowValues,
        convolution.Outputs);

    private readonly BatchNorm _norm = new(store, convolution.Name + ".norm", convolution.Outputs, epsilon);

    /// <summary>[B·height·width, inputs] → [B·⌈height/stride⌉·⌈width/stride⌉, outputs].</summary>
    public Tensor Forward(Tape tape, Tensor x) => _norm.Forward(tape, tape.Convolution(x, _weight, null, convolution.Spec));
}
