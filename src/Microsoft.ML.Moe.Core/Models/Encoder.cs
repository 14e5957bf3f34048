using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models;

/// <summary>Transformer blocks one after the other, and, where they are pre-norm, the norm after the last.</summary>
/// <param name="blocks">The blocks.</param>
/// <param name="outputNorm">The norm after the last block; null for none.</param>
internal sealed class Encoder(IReadOnlyList<IBlock> blocks, INorm? outputNorm = null)
{
    /// <summary>Number of blocks, L.</summary>
    public int Layers => blocks.Count;

    /// <summary>Runs all blocks, or a run of them: the last ones from states that earlier ones have given before, say.</summary>
    /// <param name="context">What the layers share.</param>
    /// <param name="xTD">[T, D]: token vectors, or the states after <paramref name="first"/> blocks.</param>
    /// <param name="first">Number of the first block to run, from 0.</param>
    /// <param name="last">Number of the block before which to stop; null to run all that follow.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are no such blocks.</exception>
    public EncoderOutput Forward(ForwardContext context, Tensor xTD, int first = 0, int? last = null)
    {
        var end = last ?? Layers;
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(first, end);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(end, Layers);
        var states = context.Tape.States;
        var start = states.Count;
        states.Add(xTD);
        for (var block = first; block < end; block++)
            states.Add(blocks[block].Forward(context, states[^1]));
        // given final states are normed already
        if (outputNorm is not null && end == Layers && (end > first || Layers == 0))
            states[^1] = outputNorm.Forward(context.Tape, states[^1]);
        return new EncoderOutput(states, start, states.Count - start, first);
    }
}

/// <summary>
/// What an encoder, or a decoder, gives: the states before the blocks that ran and after each of them, counted as Hugging Face counts
/// <c>hidden_states</c>. They belong to the tape.
/// </summary>
/// <param name="states">States of the tape, each [T, D].</param>
/// <param name="start">Number of the first of them that is the encoder's.</param>
/// <param name="count">How many are.</param>
/// <param name="first">Number of blocks before the first of them.</param>
internal readonly struct EncoderOutput(List<Tensor> states, int start, int count, int first)
{
    /// <summary>Router logits of the MoE layers that ran, each [T, E], in their order; null where no one asked for them.</summary>
    public IReadOnlyList<Tensor>? RouterLogits { get; init; }

    /// <summary>The pass that gave them, for a head that has blocks of its own; its cache and observer are for those.</summary>
    public ForwardContext Pass { get; init; }

    /// <summary>The states after the last block that ran, [T, D].</summary>
    public Tensor Last => states[start + count - 1];

    /// <summary>Number of blocks after which <see cref="Last"/> is.</summary>
    public int LastLayer => first + count - 1;

    /// <summary>The states after a number of blocks, [T, D]; 0 gives the token vectors.</summary>
    /// <exception cref="ArgumentOutOfRangeException">These blocks did not run.</exception>
    public Tensor After(int layers) => layers >= first && layers <= LastLayer
        ? states[start + layers - first]
        : throw new ArgumentOutOfRangeException(nameof(layers), layers, $"The blocks from {first} to {LastLayer} did run.");
}
