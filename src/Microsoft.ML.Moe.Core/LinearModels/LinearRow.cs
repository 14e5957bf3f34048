namespace Microsoft.ML.Moe.LinearModels;

/// <summary>
/// What the linear branch reads of a text or a pair: which features occur, as 48-bit hashes, and the counts of a pair. A model's
/// <see cref="LinearFeatures"/> turns it into rows of the weight table.
/// </summary>
/// <param name="blocks">Features by kind, each block ascending and without repeats; see <see cref="LinearRowBuilder"/>.</param>
/// <param name="counts">The <see cref="PairCounts"/> of a pair; empty for a single text.</param>
internal sealed class LinearRow(ulong[][] blocks, float[] counts)
{
    /// <summary>Bits of a feature's hash. Two of 2²⁰ features collide with a probability below 0.2 %.</summary>
    public const int HashBits = 48;

    /// <summary>The row of an empty text.</summary>
    public static LinearRow Empty { get; } = new([], []);

    /// <summary>Features: words and pairs of neighbours, then, where there are any, character n-grams, then what a pair shares.</summary>
    public ulong[][] Blocks { get; } = blocks;

    /// <summary>Counts of a pair; empty for a single text.</summary>
    public float[] Counts { get; } = counts;
}
