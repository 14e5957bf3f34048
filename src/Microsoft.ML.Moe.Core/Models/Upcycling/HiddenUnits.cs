namespace Microsoft.ML.Moe.Models;

/// <summary>A tensor of a feed-forward network of width D with F hidden units.</summary>
internal enum FeedForwardPart
{
    /// <summary>W1, [D, F].</summary>
    First,

    /// <summary>b1, or the gate's bias, [F].</summary>
    FirstBias,

    /// <summary>The gate's matrix, [D, F].</summary>
    Gate,

    /// <summary>W2, [F, D].</summary>
    Second,

    /// <summary>b2, [D].</summary>
    SecondBias,
}

/// <summary>
/// The hidden units of a feed-forward network: a unit is a column of W1 and of the gate, an entry of b1 and a row of W2, and the network's
/// output is the sum over them, and b2.
/// </summary>
internal static class HiddenUnits
{
    /// <summary>Copies some units, or b2, which belongs to none.</summary>
    /// <param name="part">What it is.</param>
    /// <param name="dense">The part of the dense network, row-major.</param>
    /// <param name="hidden">F, units of the dense network.</param>
    /// <param name="units">Numbers of the units to take, in their new order.</param>
    /// <param name="target">Receives them, row-major.</param>
    public static void Take(FeedForwardPart part, ReadOnlySpan<float> dense, int hidden, ReadOnlySpan<int> units, Span<float> target)
    {
        if (part == FeedForwardPart.SecondBias)
        {
            dense.CopyTo(target);
            return;
        }

        if (part == FeedForwardPart.Second)
        {
            var width = dense.Length / hidden;
            for (var i = 0; i < units.Length; i++)
                dense.Slice(units[i] * width, width).CopyTo(target[(i * width)..]);
            return;
        }

        // b1 is a single row
        var rows = dense.Length / hidden;
        for (var row = 0; row < rows; row++)
        {
            var from = dense.Slice(row * hidden, hidden);
            var to = target.Slice(row * units.Length, units.Length);
            for (var i = 0; i < units.Length; i++)
                to[i] = from[units[i]];
        }
    }

    /// <summary>Where an entry of a unit is in a matrix.</summary>
    /// <param name="part">The matrix.</param>
    /// <param name="unit">Number of the unit.</param>
    /// <param name="entry">Number of the entry, below D.</param>
    /// <param name="units">Units of the matrix.</param>
    /// <param name="width">D.</param>
    public static int IndexOf(FeedForwardPart part, int unit, int entry, int units, int width) =>
        part == FeedForwardPart.Second ? unit * width + entry : entry * units + unit;
}
