namespace Microsoft.ML.Moe;

/// <summary>
/// Ways to spoil an image: the fifteen of ImageNet-C and CIFAR-10-C (Hendrycks and Dietterich 2019, "Benchmarking neural network
/// robustness to common corruptions and perturbations").
/// </summary>
public enum ImageCorruptionKind
{
    /// <summary>Normally distributed noise on each value.</summary>
    GaussianNoise,

    /// <summary>Noise of few photons: each value is a Poisson count.</summary>
    ShotNoise,

    /// <summary>Values that are black or white.</summary>
    ImpulseNoise,

    /// <summary>Out of focus: the mean over a disk.</summary>
    DefocusBlur,

    /// <summary>Behind frosted glass: neighbours change places.</summary>
    GlassBlur,

    /// <summary>Moved in a direction while it was taken.</summary>
    MotionBlur,

    /// <summary>Moved towards while it was taken.</summary>
    ZoomBlur,

    /// <summary>Falling snow, and paler colours.</summary>
    Snow,

    /// <summary>
    /// Crystals of ice on the lens. The original lays photographs of frost over images; here the crystals are made of noise.
    /// </summary>
    Frost,

    /// <summary>Fog, of uneven density.</summary>
    Fog,

    /// <summary>Brighter.</summary>
    Brightness,

    /// <summary>Less contrast.</summary>
    Contrast,

    /// <summary>Stretched and bent.</summary>
    ElasticTransform,

    /// <summary>Made small, and large again.</summary>
    Pixelate,

    /// <summary>What JPEG leaves of it at low quality.</summary>
    JpegCompression,
}

/// <summary>
/// Spoiled images, to measure what a classifier makes of them. Strengths are those of the literature: images whose shorter side is at most
/// 96 pixels have CIFAR-10-C's, which are milder, and larger ones ImageNet-C's; lengths are in proportion to the side, 32 and 224 pixels
/// there, and no shorter than with 32.
/// </summary>
/// <example>
/// <code language="csharp"><![CDATA[
/// var foggy = mlContext.Data.CorruptImages(split.TestSet, "Image", new ImageCorruption(ImageCorruptionKind.Fog) { Severity = 3, Seed = 1
/// }); ]]></code>
/// </example>
public sealed record ImageCorruption
{
    /// <summary>The mildest.</summary>
    public const int LeastSeverity = 1;

    /// <summary>The strongest.</summary>
    public const int MostSeverity = 5;

    /// <summary>Creates it.</summary>
    /// <param name="kind">What is done.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such kind.</exception>
    public ImageCorruption(ImageCorruptionKind kind) => Kind = OptionCheck.Defined(kind, nameof(kind));

    /// <summary>What is done.</summary>
    public ImageCorruptionKind Kind { get; }

    /// <summary>How much of it, within [1, 5]. Default 3.</summary>
    public int Severity { get; init => field = OptionCheck.Range(value, LeastSeverity, MostSeverity, nameof(Severity)); } = 3;

    /// <summary>Seed: the same rows with the same seed are spoiled alike. Default 0.</summary>
    public int Seed { get; init; }

    /// <summary>All kinds.</summary>
    public static IReadOnlyList<ImageCorruptionKind> Kinds { get; } = Enum.GetValues<ImageCorruptionKind>();

    /// <summary><c>Fog, severity 3</c>.</summary>
    public override string ToString() => FormattableString.Invariant($"{Kind}, severity {Severity}");
}
