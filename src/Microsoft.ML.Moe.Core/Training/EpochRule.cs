namespace Microsoft.ML.Moe.Training;

/// <summary>How many passes over the rows to make when the caller does not say: many over few rows, few over many.</summary>
public static class EpochRule
{
    private const double TargetRows = 150_000;
    private const int Fewest = 3;
    private const int Most = 40;

    /// <summary>Passes over a table.</summary>
    /// <param name="rows">Training rows, at least 1.</param>
    /// <returns>150,000 rows' worth of passes, but at least 3 and at most 40.</returns>
    public static int EpochsFor(int rows)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        return (int)Math.Clamp(Math.Round(TargetRows / rows), Fewest, Most);
    }
}
