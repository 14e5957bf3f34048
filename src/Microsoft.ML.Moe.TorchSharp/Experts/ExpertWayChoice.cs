namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>
/// Chooses the way that should take the least time. A way's time is that of what it moves or that of what it multiplies, whichever is more
/// (Williams et al. 2009, "Roofline"), and that of its launches, all expressed in bytes that the device could have moved meanwhile.
/// </summary>
/// <param name="work">What there is to do.</param>
/// <param name="costs">Of the device.</param>
/// <param name="rowsOfExperts">How many pairs each expert has; asked only where that may decide.</param>
/// <param name="areRowsKnown">Whether the answer is on the host already, so that asking costs nothing.</param>
internal sealed class ExpertWayChoice(ExpertWork work, DeviceCosts costs, Func<int[]> rowsOfExperts, bool areRowsKnown = false)
{
    /// <summary>Launches that a way needs beside its products.</summary>
    private const int OtherLaunches = 8;

    /// <summary>What a question costs: the host waits for the device, and then the device for the host.</summary>
    private const int LaunchesOfQuestion = 4;

    /// <summary>The way.</summary>
    public ExpertWay Best()
    {
        var withoutAsking = Least((ExpertWay.Gathered, Gathered), (ExpertWay.PaddedToTokens, Padded(work.Tokens)));
        if (!areRowsKnown && withoutAsking.Cost <= ExpectedWithAnswer())
            return withoutAsking.Way;
        var rows = rowsOfExperts();
        return Least(
            withoutAsking,
            (ExpertWay.OneByOne, OneByOne(rows.Count(count => count > 0))),
            (ExpertWay.PaddedToBusiest, Padded(rows.Max()))).Way;
    }

    // Each pair's copy of the weights is read, written, and read again.
    private double Gathered => Cost(3.0 * work.Pairs, work.Pairs, 2 * work.Matrices);

    private double Padded(int rows) => Cost(work.Experts, (double)work.Experts * rows, work.Matrices);

    private double OneByOne(int busyExperts) => Cost(busyExperts, work.Pairs, busyExperts * work.Matrices);

    /// <summary>What the ways that ask should cost, the question included, for pairs that fall evenly.</summary>
    private double ExpectedWithAnswer()
    {
        var busyExperts = work.Experts * (1 - Math.Pow(1 - 1.0 / work.Experts, work.Pairs));
        var rows = (work.Pairs + work.Experts - 1) / work.Experts;
        return LaunchesOfQuestion * costs.BytesPerLaunch + Math.Min(OneByOne((int)Math.Ceiling(busyExperts)), Padded(rows));
    }

    /// <summary>Time, in bytes moved.</summary>
    /// <param name="experts">How many experts' weights are moved.</param>
    /// <param name="rows">Rows that are multiplied.</param>
    /// <param name="products">Launches of products.</param>
    private double Cost(double experts, double rows, int products)
    {
        var moved = work.NumberSize * (experts * work.Weights + rows * work.NumbersOfRow);
        var multiplied = rows * work.Weights / costs.ProductsPerByte;
        return Math.Max(moved, multiplied) + costs.BytesPerLaunch * (products + OtherLaunches);
    }

    private static (ExpertWay Way, double Cost) Least(params ReadOnlySpan<(ExpertWay Way, double Cost)> ways)
    {
        var least = ways[0];
        foreach (var way in ways)
            least = way.Cost < least.Cost ? way : least;
        return least;
    }
}
