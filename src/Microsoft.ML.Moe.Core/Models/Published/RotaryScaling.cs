using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>How rotary frequencies are made to serve longer rows than they were trained for.</summary>
internal enum RotaryScalingKind
{
    /// <summary>All are divided by the factor.</summary>
    Linear,

    /// <summary>YaRN (Peng et al. 2023): fast ones stay, slow ones are divided by the factor, between them a ramp.</summary>
    Yarn,

    /// <summary>Llama 3.1: as YaRN, between wavelengths rather than pairs, and the amplitude stays.</summary>
    Llama3,
}

/// <summary>What <c>rope_scaling</c> of a <c>config.json</c> says, <c>rope_parameters</c> in transformers 5.</summary>
internal sealed record RotaryScaling
{
    /// <summary>Which way.</summary>
    public required RotaryScalingKind Kind { get; init => field = OptionCheck.Defined(value, nameof(Kind)); }

    /// <summary>How many times longer rows may be.</summary>
    public required double Factor { get; init => field = OptionCheck.Range(value, 1e-6, 1e6, nameof(Factor)); }

    /// <summary>Length of rows in training.</summary>
    public int TrainedPositions { get; init => field = OptionCheck.Range(value, 1, 1 << 24, nameof(TrainedPositions)); } = 1;

    /// <summary>Turns within a trained row from which on a frequency stays as it is: beta_fast of YaRN, high_freq_factor of Llama 3.</summary>
    public double FastTurns { get; init => field = OptionCheck.Range(value, 1e-6, 1e6, nameof(FastTurns)); } = 32;

    /// <summary>Turns up to which it is divided by the factor: beta_slow of YaRN, low_freq_factor of Llama 3.</summary>
    public double SlowTurns { get; init => field = OptionCheck.Range(value, 1e-6, 1e6, nameof(SlowTurns)); } = 1;

    /// <summary>Whether YaRN's ramp begins and ends at whole pairs.</summary>
    public bool RoundsPairs { get; init; } = true;

    /// <summary>Factor of the columns that are turned.</summary>
    public float Amplitude { get; init => field = OptionCheck.Range(value, 1e-6f, 1e6f, nameof(Amplitude)); } = 1f;

    /// <summary>Reads it; null where the frequencies are as they are.</summary>
    /// <param name="json">The configuration.</param>
    /// <param name="positions">The longest row that it speaks of.</param>
    /// <exception cref="InvalidDataException">The type is not known here, or a value is absent that it needs.</exception>
    public static RotaryScaling? Read(PublishedSettings json, int positions)
    {
        var part = PartOf(json);
        var trained = part.Int("original_max_position_embeddings", positions);
        switch (KindOf(part))
        {
            // dynamic scaling begins beyond the rows that the model is for, and longer ones are not accepted here
            case "default" or "dynamic":
                return null;
            case "linear":
                return new RotaryScaling { Kind = RotaryScalingKind.Linear, Factor = Required("factor") };
            case "llama3":
                return new RotaryScaling
                {
                    Kind = RotaryScalingKind.Llama3,
                    Factor = Required("factor"),
                    TrainedPositions = trained,
                    FastTurns = Required("high_freq_factor"),
                    SlowTurns = Required("low_freq_factor"),
                };
            case "yarn":
                return new RotaryScaling
                {
                    Kind = RotaryScalingKind.Yarn,
                    Factor = Required("factor"),
                    TrainedPositions = trained,
                    FastTurns = part.Double("beta_fast", 32),
                    SlowTurns = part.Double("beta_slow", 1),
                    RoundsPairs = part.Flag("truncate", absent: true),
                    Amplitude = part.Float("attention_factor", AmplitudeOf(part)),
                };
            case var kind:
                throw json.Refused($"rope_type '{kind}' is not supported: only default, linear, dynamic, yarn and llama3 are");
        }

        double Required(string name) => part.Has(name) ? part.Double(name, 1) : throw json.Refused($"rope_type '{KindOf(part)}' needs {name}");
    }

    /// <summary>The part of a configuration that speaks of rotary positions.</summary>
    public static PublishedSettings PartOf(PublishedSettings json) =>
        json.Part(json.Has("rope_parameters") ? "rope_parameters" : "rope_scaling");

    /// <summary>What that part calls its kind.</summary>
    public static string KindOf(PublishedSettings part) => part.Text("rope_type", part.Text("type", "default"));

    /// <summary>Frequencies as they are. Of an odd number of columns one pair more is turned, as transformers does it.</summary>
    /// <param name="width">Columns of a head that are turned.</param>
    /// <param name="theta">Base.</param>
    public static float[] FrequenciesOf(int width, double theta) =>
        [.. Enumerable.Range(0, (width + 1) / 2).Select(pair => (float)Math.Pow(theta, -2.0 * pair / width))];

    /// <summary>The frequencies.</summary>
    /// <param name="width">Columns of a head that are turned.</param>
    /// <param name="theta">Base.</param>
    /// <param name="isInterleaved">See <see cref="RotaryFrequencies.IsInterleaved"/>.</param>
    public RotaryFrequencies Apply(int width, double theta, bool isInterleaved)
    {
        var frequencies = FrequenciesOf(width, theta);
        var (low, high) = (PairOf(FastTurns), PairOf(SlowTurns));
        if (RoundsPairs)
            (low, high) = (Math.Floor(low), Math.Ceiling(high));
        (low, high) = (Math.Max(low, 0), Math.Min(high, width - 1));
        if (low == high)
            high += 0.001;
        for (var pair = 0; pair < frequencies.Length; pair++)
        {
            var turns = TrainedPositions * frequencies[pair] / (2 * Math.PI);
            // share of the frequency that is divided
            var slow = Kind switch
            {
                RotaryScalingKind.Linear => 1,
                RotaryScalingKind.Yarn => Math.Clamp((pair - low) / (high - low), 0, 1),
                _ => turns < SlowTurns ? 1 : turns > FastTurns ? 0 : 1 - (turns - SlowTurns) / (FastTurns - SlowTurns),
            };
            frequencies[pair] = (float)(frequencies[pair] * (slow / Factor + 1 - slow));
        }

        return new RotaryFrequencies(frequencies, isInterleaved) { Amplitude = Amplitude };

        // the pair, as a fraction, that makes a number of turns within a trained row
        double PairOf(double turns) => width * Math.Log(TrainedPositions / (turns * 2 * Math.PI)) / (2 * Math.Log(theta));
    }

    private static float AmplitudeOf(PublishedSettings part)
    {
        var (factor, own, all) = (part.Double("factor", 1), part.Double("mscale", 0), part.Double("mscale_all_dim", 0));
        return (float)(own != 0 && all != 0 ? Of(own) / Of(all) : Of(1));

        double Of(double weight) => factor <= 1 ? 1 : 0.1 * weight * Math.Log(factor) + 1;
    }
}
