using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Heads;

/// <summary>The mean of a sequence's states after each of the last layers, side by side.</summary>
internal static class PooledStates
{
    /// <summary>Pools states.</summary>
    /// <param name="tape">Operations.</param>
    /// <param name="encoded">The encoder's states, of T tokens.</param>
    /// <param name="layout">Sequences within T; W of them, one after the other, belong to a row.</param>
    /// <param name="layers">How many of the last layers, K.</param>
    /// <returns>[B, W·K·D]: the sequences of a row side by side, each with its layers in their order.</returns>
    public static Tensor Of(Tape tape, EncoderOutput encoded, SequenceLayout layout, int layers)
    {
        var ofLayers = new Tensor[layers];
        for (var i = 0; i < layers; i++)
            ofLayers[i] = tape.MeanPool(encoded.After(encoded.LastLayer - layers + 1 + i), layout);
        var pooled = layers == 1 ? ofLayers[0] : tape.Concat(ofLayers);
        var windows = layout.SequencesOfRow;
        if (windows == 1)
            return pooled;
        var rows = layout.Sequences / windows;
        var ofWindows = new Tensor[windows];
        var numbers = new int[rows];
        for (var window = 0; window < windows; window++)
        {
            for (var row = 0; row < rows; row++)
                numbers[row] = row * windows + window;
            ofWindows[window] = tape.Embedding(pooled, numbers);
        }

        return tape.Concat(ofWindows);
    }
}
