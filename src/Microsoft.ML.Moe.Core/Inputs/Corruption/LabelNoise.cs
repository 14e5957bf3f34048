namespace Microsoft.ML.Moe;

/// <summary>Wrong labels: a share of a table's rows gets the label of another class, at random.</summary>
/// <example>
/// <code language="csharp"><![CDATA[
/// var noisy = mlContext.Data.CorruptLabels(split.TrainSet, "Label", new LabelNoise { Share = 0.2, Seed = 1 });
/// ]]></code>
/// </example>
public sealed record LabelNoise
{
    /// <summary>
    /// Probability that a row gets another label, each row by itself: of many rows about this share. With the same seed the rows of a
    /// smaller share are among those of a larger, and get the same labels. Within [0, 1]. Default 0.1.
    /// </summary>
    public double Share { get; init => field = OptionCheck.Range(value, 0, 1, nameof(Share)); } = 0.1;

    /// <summary>
    /// How the label is drawn of those that the table has: each other class alike, or by the classes' shares of the table. Default
    /// <see cref="CorruptionDraw.Uniform"/>.
    /// </summary>
    public CorruptionDraw Draw { get; init => field = OptionCheck.Defined(value, nameof(Draw)); }

    /// <summary>Seed: the same rows with the same seed get the same labels. Default 0.</summary>
    public int Seed { get; init; }
}
