using Microsoft.ML.Moe.Inputs;

namespace Microsoft.ML.Moe.Training;

/// <summary>Sizes the wide branch's hashed table.</summary>
internal static class WideTable
{
    private const int FewestBits = 10;
    private const int MostBits = 18;

    /// <summary>Values in the table at most: 64 MiB, and three times that while training.</summary>
    private const long MaximumValues = 1 << 24;

    /// <summary>
    /// Binary logarithm of the rows: about two for each distinct feature of the training rows, so that few collide, within the
    /// memory bound.
    /// </summary>
    /// <param name="training">The rows.</param>
    /// <param name="classCount">Number of classes.</param>
    /// <param name="initialBits">Of the table that training starts from, which is not made smaller within the bound; 0 without one.</param>
    public static int BitsFor(IReadOnlyList<Example<EncodedText>> training, int classCount, int initialBits = 0)
    {
        var features = training.SelectMany(row => row.Input.WideFeatures).ToHashSet().Count;
        var bits = FewestBits;
        while (bits < MostBits && (bits < initialBits || 1L << bits < 2L * features) && (2L << bits) * classCount <= MaximumValues)
            bits++;
        return bits;
    }
}
