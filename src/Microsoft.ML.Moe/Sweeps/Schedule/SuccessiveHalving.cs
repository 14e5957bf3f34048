namespace Microsoft.ML.Moe.Sweeps.Schedule;

/// <summary>
/// The rule of asynchronous successive halving that stops trials and never takes them up again (Li et al. 2020, "A system for massively parallel
/// hyperparameter tuning", ASHA; the stopping variant): at each rung a trial goes on if it is among the best third of those that were there.
/// </summary>
internal static class SuccessiveHalving
{
    /// <summary>One trial of so many goes on.</summary>
    public const int Reduction = 3;

    /// <summary>Shares of a trial's schedule at which it is compared with others.</summary>
    public static readonly IReadOnlyList<double> Rungs = [1.0 / 9, 1.0 / 3];

    private const double Tolerance = 1e-9;

    /// <summary>Rungs that a trial reaches at the end of an epoch; none with the last, where nothing is left to save.</summary>
    /// <param name="epoch">The epoch, from 1.</param>
    /// <param name="epochs">Epochs of the schedule.</param>
    public static IEnumerable<int> ReachedBy(int epoch, int epochs) => Enumerable.Range(0, Rungs.Count)
        .Where(rung => epoch < epochs && (double)epoch / epochs >= Rungs[rung] - Tolerance && (epoch - 1.0) / epochs < Rungs[rung] - Tolerance);

    /// <summary>Whether a trial goes on.</summary>
    /// <param name="loss">Its loss at the rung; smaller is better.</param>
    /// <param name="earlier">Losses there of the trials with smaller numbers.</param>
    public static bool GoesOn(double loss, IReadOnlyCollection<double> earlier)
    {
        // of two that are alike the earlier is the better
        var better = earlier.Count(other => other <= loss);
        return better < Math.Max(1, (earlier.Count + 1) / Reduction);
    }
}
