using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>Gives rows the labels of other classes, as <see cref="LabelNoise"/> says. Safe to use from several threads.</summary>
/// <param name="noise">How labels are corrupted.</param>
/// <param name="classes">Counts the table's labels, when the first label is drawn.</param>
internal sealed class LabelCorrupter<T>(LabelNoise noise, Func<Occurrences<T>> classes)
{
    private const int Stream = 2;

    private readonly Lazy<Occurrences<T>> _classes = new(classes);

    /// <summary>The label that a row gets.</summary>
    /// <param name="label">Its own.</param>
    /// <param name="row">Number of the row, which with the seed decides all that is random.</param>
    /// <param name="isChanged">Whether it is another.</param>
    public T Corrupt(T label, long row, out bool isChanged)
    {
        var random = new StableRandom(noise.Seed, row, Stream);
        isChanged = random.Next() < noise.Share;
        return isChanged ? _classes.Value.Other(label, noise.Draw, random) : label;
    }
}
