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
    private readonly int _headWidth = config.Width / config.Heads;
    private readonly int _width = (int)(config.Width / config.Heads * config.RotaryFraction) & ~1;

    /// <summary>Turns queries and keys, both [T, D].</summary>
    public (Tensor Queries, Tensor Keys) Turn(Tape tape, SequenceLayout layout, Tensor qTD, Tensor kTD)
    {
        if (_width == 0)
            return (qTD, kTD);
        var lengths = Enumerable.Range(0, layout.Sequences).Select(i => layout.Offsets[i + 1] - layout.Offsets[i]);
        double[] bases = [.. lengths.Select(BaseOf).Distinct()];
        if (bases.Length > 1)
            return TurnEach(tape, layout, qTD, kTD);
        var rotary = FrequenciesOf(bases.Length == 0 ? config.RotaryBase : bases[0]);
        var positions = new int[layout.Tokens];
        for (var i = 0; i < layout.Sequences; i++)
            for (var token = layout.Offsets[i]; token < layout.Offsets[i + 1]; token++)
                positions[token] = token - layout.Offsets[i];
        return (tape.Rotary(qTD, positions, config.Heads, rotary), tape.Rotary(kTD, positions, config.Heads, rotary));
    }

    /// <summary>
    /// Rows with frequencies of their own: x∘cos + (x·P)∘sin, where P puts each column in its partner's place, with the sign that the
    /// rotation gives it.
    /// </summary>
    private (Tensor Queries, Tensor Keys) TurnEach(Tape tape, SequenceLayout layout, Tensor qTD, Tensor kTD)
    {
        var (tokens, d) = (layout.Tokens, config.Width);
        var (cosines, sines) = (new float[tokens * d], new float[tokens * d]);
        Array.Fill(cosines, 1f);
        for (var i = 0; i < layout.Sequences; i++)
        {
            var (start, end) = (layout.Offsets[i], layout.Offsets[i + 1]);
            var rotary = FrequenciesOf(BaseOf(end - start));
            for (var token = start; token < end; token++)
            {
                for (var pair = 0; pair < rotary.Pairs; pair++)
                {
                    var (cosine, sine) = rotary.Turn(token - start, pair);
                    var (one, other) = ColumnsOf(pair);
                    for (var head = token * d; head < (token + 1) * d; head += _headWidth)
                    {
                        cosines[head + one] = cosines[head + other] = cosine;
                        sines[head + one] = sines[head + other] = sine;
                    }
                }
            }
        }

        var partners = new float[d * d];
        for (var head = 0; head < d; head += _headWidth)
        {
            for (var pair = 0; pair < _width / 2; pair++)
            {
                var (one, other) = ColumnsOf(pair);
                partners[(head + other) * d + head + one] = -1f;
                partners[(head + one) * d + head + other] = 1f;
            }
        }

        var (cosTD, sinTD, partnersDD) = (tape.Constant(cosines, tokens, d), tape.Constant(sines, tokens, d), tape.Constant(partners, d, d));
        return (Turned(qTD), Turned(kTD));

        Tensor Turned(Tensor xTD) => tape.Add(tape.Multiply(xTD, cosTD), tape.Multiply(tape.Linear(xTD, partnersDD), sinTD));
    }

    private (int One, int Other) ColumnsOf(int pair) =>
        config.RotaryIsInterleaved ? (2 * pair, 2 * pair + 1) : (pair, pair + _width / 2);

    private RotaryFrequencies FrequenciesOf(double theta) => RotaryFrequencies.OfTheta(_width, theta, config.RotaryIsInterleaved);

    private double BaseOf(int length)
    {
        var trained = config.TrainedPositions;
        return config.RotaryScale is { } s && length > trained && _width > 2
            ? config.RotaryBase * Math.Pow(s * length / trained - (s - 1), _width / (_width - 2.0))
            : config.RotaryBase;
    }
}
