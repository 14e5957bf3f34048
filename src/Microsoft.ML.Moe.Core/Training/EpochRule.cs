using Microsoft.ML.Moe.Inputs;

namespace Microsoft.ML.Moe.Training;

/// <summary>How many passes over the rows to make when the caller does not say: many over little text, few over much.</summary>
public static class EpochRule
{
    private const double TargetTokens = 1.3e6;
    private const int Fewest = 4;
    private const int Most = 25;
    private const double TargetImages = 5e4;
    private const int MostOfImages = 60;
    private const double FewImages = 1.5e5;
    private const double ManyImages = 9e5;
    private const int UsualOfConvolutions = 15;
    private const double PretrainingTokens = 2e7;
    private const int MostOfPretraining = 40;

    /// <summary>Passes over a table.</summary>
    /// <param name="rows">Training rows, at least one.</param>
    /// <returns>As many as show 1.3 million tokens to the model, but at least 4 and at most 25.</returns>
    /// <exception cref="ArgumentException">There are no rows.</exception>
    public static int EpochsFor(IReadOnlyCollection<Example<EncodedText>> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (rows.Count == 0)
            throw new ArgumentException("There are no rows.", nameof(rows));
        var tokens = rows.Sum(row => (double)row.Input.Length);
        return (int)Math.Clamp(Math.Round(TargetTokens / tokens), Fewest, Most);
    }

    /// <summary>Passes over a table of images.</summary>
    /// <param name="rows">Training rows, at least one.</param>
    /// <returns>As many as show 50,000 images to the model, but at least 4 and at most 60.</returns>
    /// <exception cref="ArgumentException">There are no rows.</exception>
    public static int EpochsFor(IReadOnlyCollection<Example<ImagePixels>> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (rows.Count == 0)
            throw new ArgumentException("There are no rows.", nameof(rows));
        return (int)Math.Clamp(Math.Round(TargetImages / rows.Count), Fewest, MostOfImages);
    }

    /// <summary>Passes over a table of images with a <see cref="ImageStem.Convolutional"/> stem.</summary>
    /// <param name="rows">Training rows, at least one.</param>
    /// <returns>
    /// As many as show 150,000 images to the model, at most 60; from 10,000 rows on 15, until those would show more than 900,000; and at
    /// least 4.
    /// </returns>
    internal static int ConvolutionalEpochsFor(int rows) => (int)Math.Clamp(
        Math.Round(Math.Max(FewImages / rows, Math.Min(UsualOfConvolutions, ManyImages / rows))), Fewest, MostOfImages);

    /// <summary>Passes over texts without labels.</summary>
    /// <param name="texts">The texts, at least one.</param>
    /// <returns>As many as show 20 million tokens to the model, but at least 1 and at most 40.</returns>
    /// <exception cref="ArgumentException">There are no texts.</exception>
    public static int PretrainingEpochsFor(IReadOnlyCollection<Example<EncodedText>> texts)
    {
        ArgumentNullException.ThrowIfNull(texts);
        if (texts.Count == 0)
            throw new ArgumentException("There are no texts.", nameof(texts));
        return (int)Math.Clamp(Math.Round(PretrainingTokens / texts.Sum(text => (double)text.Input.Length)), 1, MostOfPretraining);
    }
}
