using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models;

/// <summary>
/// A pre-norm block of a decoder: x + attention(norm(x)), x + crossAttention(norm(x), source), then x + feedForward(norm(x)).
/// </summary>
/// <param name="name">Of the block.</param>
/// <param name="attention">Of the decoder's tokens to those before them.</param>
/// <param name="crossAttention">To the encoder's tokens.</param>
/// <param name="feedForward">Dense, or a mixture of experts.</param>
/// <param name="dropout">Rate at which what each adds is dropped while training.</param>
/// <param name="normOf">Makes a norm of a name.</param>
internal sealed class DecoderBlock(
    string name, IAttention attention, CrossAttention crossAttention, IFeedForward feedForward, float dropout, Func<string, INorm> normOf)
{
    private readonly INorm _attentionNorm = normOf(name + ".attentionNorm");
    private readonly INorm _crossAttentionNorm = normOf(name + ".crossAttentionNorm");
    private readonly INorm _feedForwardNorm = normOf(name + ".feedForwardNorm");

    /// <summary>[T, D] → [T, D].</summary>
    public Tensor Forward(ForwardContext context, Tensor xTD, DecoderSource source)
    {
        var tape = context.Tape;
        xTD = tape.AddDropped(xTD, attention.Forward(context, _attentionNorm.Forward(tape, xTD)), dropout);
        xTD = tape.AddDropped(xTD, crossAttention.Forward(context, _crossAttentionNorm.Forward(tape, xTD), source), dropout);
        return tape.AddDropped(xTD, feedForward.Forward(context, _feedForwardNorm.Forward(tape, xTD)), dropout);
    }

    /// <inheritdoc cref="CrossAttention.Keep"/>
    public void Keep(ForwardContext context, Tensor statesSD) => crossAttention.Keep(context, statesSD);
}

/// <summary>A decoder's blocks one after the other, and the norm after the last.</summary>
/// <param name="blocks">The blocks.</param>
/// <param name="outputNorm">The norm.</param>
internal sealed class Decoder(IReadOnlyList<DecoderBlock> blocks, INorm outputNorm)
{
    /// <summary>Runs all blocks.</summary>
    /// <param name="context">The pass over the decoder's tokens.</param>
    /// <param name="xTD">[T, D] token vectors.</param>
    /// <param name="source">What they read.</param>
    public EncoderOutput Forward(ForwardContext context, Tensor xTD, DecoderSource source)
    {
        var states = context.Tape.States;
        var start = states.Count;
        states.Add(xTD);
        foreach (var block in blocks)
            states.Add(block.Forward(context, states[^1], source));
        states[^1] = outputNorm.Forward(context.Tape, states[^1]);
        return new EncoderOutput(states, start, states.Count - start, first: 0);
    }

    /// <inheritdoc cref="CrossAttention.Keep"/>
    public void Keep(ForwardContext context, Tensor statesSD)
    {
        foreach (var block in blocks)
            block.Keep(context, statesSD);
    }
}
