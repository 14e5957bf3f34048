namespace Microsoft.ML.Moe.Tensors;

/// <summary>
/// How fast rotary positions (Su et al. 2021, "RoFormer") turn the pairs of a head's columns: pair i by position·frequencies[i] radians.
/// Frequencies of scaled contexts (NTK, YaRN, Llama 3) are given as they are.
/// </summary>
public sealed class RotaryFrequencies
{
    /// <summary>Positions lie below this; single precision still tells them apart.</summary>
    internal const int MostPositions = 1 << 24;

    private readonly float[] _frequencies;

    /// <summary>Creates given frequencies.</summary>
    /// <param name="frequencies">Radians by position, one for each pair; finite numbers.</param>
    /// <param name="isInterleaved">
    /// Whether columns 2i and 2i + 1 are pair i (RoFormer, GPT-J, DeepSeek). If not, columns i and i + P are, of P pairs (Llama, GPT-NeoX,
    /// and most published models as Hugging Face stores them). Both are counted from <see cref="FirstColumn"/>.
    /// </param>
    /// <exception cref="ArgumentException">A frequency is not finite.</exception>
    public RotaryFrequencies(ReadOnlySpan<float> frequencies, bool isInterleaved = false)
    {
        foreach (var frequency in frequencies)
        {
            if (!float.IsFinite(frequency))
                throw new ArgumentException($"A frequency is {frequency}, not a finite number.", nameof(frequencies));
        }

        _frequencies = frequencies.ToArray();
        IsInterleaved = isInterleaved;
    }

    /// <summary>
    /// First column of a head that is turned, at least 0: those before it stay as they are, such as the columns without positions of
    /// multi-head latent attention. Default 0.
    /// </summary>
    public int FirstColumn
    {
        get;
        init => field = value >= 0
            ? value
            : throw new ArgumentOutOfRangeException(nameof(value), value, "The first column is at least 0.");
    }

    /// <summary>Number of pairs; the columns of a head beyond <see cref="FirstColumn"/> and twice this stay as they are.</summary>
    public int Pairs => _frequencies.Length;

    /// <summary>Whether columns 2i and 2i + 1 are a pair; if not, i and i + <see cref="Pairs"/>.</summary>
    public bool IsInterleaved { get; }

    /// <summary>
    /// Factor of the columns that are turned, over 0: YaRN makes attention sharper so (Peng et al. 2023, section 3.4). Default 1.
    /// </summary>
    public float Amplitude
    {
        get;
        init => field = value > 0f && float.IsFinite(value)
            ? value
            : throw new ArgumentOutOfRangeException(nameof(value), value, "The amplitude is a finite number over 0.");
    } = 1f;

    /// <summary>Radians by position, one for each pair.</summary>
    public ReadOnlySpan<float> Values => _frequencies;

    /// <summary>The paper's frequencies: theta^(−2i/width).</summary>
    /// <param name="width">Columns of a head that are turned; even, at least 0.</param>
    /// <param name="theta">Base, over 0; 10,000 in the paper.</param>
    /// <param name="isInterleaved">See <see cref="IsInterleaved"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The width is odd or negative, or theta not over 0.</exception>
    public static RotaryFrequencies OfTheta(int width, double theta = 10_000, bool isInterleaved = false)
    {
        if (width < 0 || width % 2 != 0)
            throw new ArgumentOutOfRangeException(nameof(width), width, "The width is an even number, at least 0.");
        if (!(theta > 0) || !double.IsFinite(theta))
            throw new ArgumentOutOfRangeException(nameof(theta), theta, "Theta is a finite number over 0.");
        var frequencies = new float[width / 2];
        for (var i = 0; i < frequencies.Length; i++)
            frequencies[i] = (float)Math.Pow(theta, -2.0 * i / width);
        return new RotaryFrequencies(frequencies, isInterleaved);
    }

    /// <summary>The angle of a pair at a position, taken in double precision: its cosine and sine, times the amplitude.</summary>
    internal (float Cosine, float Sine) Turn(int position, int pair)
    {
        var (sine, cosine) = Math.SinCos((double)position * _frequencies[pair]);
        return ((float)(Amplitude * cosine), (float)(Amplitude * sine));
    }
}
