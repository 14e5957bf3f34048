using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// LongRoPE (Ding et al. 2024): frequencies that are divided by factors of their own, by some in rows up to the trained length and by others in
/// longer ones. The published programs take the length of the longest row of a batch for all; here a row's result depends on no other.
/// </summary>
internal sealed record LongRope
{
    /// <summary>Divisors of the frequencies, one for each pair, in rows up to <see cref="TrainedPositions"/>.</summary>
    public required IReadOnlyList<double> ShortFactors { get; init; }

    /// <summary>Divisors in longer rows.</summary>
    public required IReadOnlyList<double> LongFactors { get; init; }

    /// <summary>The trained length.</summary>
    public required int TrainedPositions { get; init => field = OptionCheck.Range(value, 1, 1 << 24, nameof(TrainedPositions)); }

    /// <summary>Factor of the columns that are turned in rows up to that.</summary>
    public required float ShortAmplitude { get; init => field = OptionCheck.Range(value, 1e-6f, 1e6f, nameof(ShortAmplitude)); }

    /// <summary>Factor in longer rows.</summary>
    public required float LongAmplitude { get; init => field = OptionCheck.Range(value, 1e-6f, 1e6f, nameof(LongAmplitude)); }

    /// <summary>Reads it as Phi's configurations have it.</summary>
    /// <param name="json">The file.</param>
    /// <param name="width">Columns of a head that are turned.</param>
    public static LongRope Read(PublishedSettings json, int width)
    {
        var part = RotaryScaling.PartOf(json);
        return new LongRope
        {
            ShortFactors = Factors("short_factor"),
            LongFactors = Factors("long_factor"),
            TrainedPositions = part.Int("original_max_position_embeddings") ?? json.Int("original_max_position_embeddings")
                ?? throw json.Refused("rope_type 'longrope' needs original_max_position_embeddings"),
            ShortAmplitude = Amplitude("short_mscale"),
            LongAmplitude = Amplitude("long_mscale"),
        };

        IReadOnlyList<double> Factors(string name) =>
            part.Doubles(name) is var factors && factors.Count == width / 2 && factors.All(factor => factor is >= 1e-6 and <= 1e6)
                ? factors
                : throw json.Refused($"{name} of rope_type 'longrope' is not {width / 2} numbers over 0");

        float Amplitude(string name) =>
            part.Has(name) ? part.Float(name, 1f) : throw json.Refused($"rope_type 'longrope' needs {name}");
    }

    /// <summary>The frequencies of rows up to the trained length, or of longer ones.</summary>
    /// <param name="width">Columns of a head that are turned.</param>
    /// <param name="theta">Base.</param>
    /// <param name="isLong">Whether the row is longer.</param>
    public RotaryFrequencies Apply(int width, double theta, bool isLong)
    {
        var frequencies = new float[width / 2];
        for (var pair = 0; pair < frequencies.Length; pair++)
            frequencies[pair] = (float)(Math.Pow(theta, -2.0 * pair / width) / (isLong ? LongFactors : ShortFactors)[pair]);
        return new RotaryFrequencies(frequencies) { Amplitude = isLong ? LongAmplitude : ShortAmplitude };
    }

    /// <inheritdoc/>
    public bool Equals(LongRope? other) => other is not null
        && (TrainedPositions, ShortAmplitude, LongAmplitude) == (other.TrainedPositions, other.ShortAmplitude, other.LongAmplitude)
        && ShortFactors.SequenceEqual(other.ShortFactors)
        && LongFactors.SequenceEqual(other.LongFactors);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(TrainedPositions, ShortAmplitude, LongAmplitude, ShortFactors.Count);
}
