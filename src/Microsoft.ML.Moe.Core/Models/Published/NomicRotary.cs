using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// Rotary positions whose base follows the length of each row beyond the trained one: base·(s·n/T − (s − 1))^(d/(d − 2)) for n &gt; T tokens
/// and d turned columns (dynamic NTK). The published program takes the length of the longest row of a batch for all; here a row's
/// result depends on no other.
/// </summary>
/// <param name="config">The architecture.</param>
internal sealed class NomicRotary(NomicBertConfig config)
{
    private readonly int _width = (int)(config.Width / config.Heads * config.RotaryFraction) & ~1;

    /// <summary>Turns queries and keys, both [T, D].</summary>
    public (Tensor Queries, Tensor Keys) Turn(Tape tape, SequenceLayout layout, Tensor qTD, Tensor kTD)
    {
        if (_width == 0)
            return (qTD, kTD);
        var rotary = new RotaryFrequencies[layout.Tokens];
        var positions = new int[layout.Tokens];
        for (var i = 0; i < layout.Sequences; i++)
        {
            var (start, end) = (layout.Offsets[i], layout.Offsets[i + 1]);
            var frequencies = RotaryFrequencies.OfTheta(_width, BaseOf(end - start), config.RotaryIsInterleaved);
            for (var token = start; token < end; token++)
                (positions[token], rotary[token]) = (token - start, frequencies);
        }

        return (tape.Rotary(qTD, positions, config.Heads, rotary), tape.Rotary(kTD, positions, config.Heads, rotary));
    }

    private double BaseOf(int length)
    {
        var trained = config.TrainedPositions;
        return config.RotaryScale is { } s && length > trained && _width > 2
            ? config.RotaryBase * Math.Pow(s * length / trained - (s - 1), _width / (_width - 2.0))
            : config.RotaryBase;
    }
}
