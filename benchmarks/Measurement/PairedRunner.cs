using System.Diagnostics;

namespace Microsoft.ML.Moe.Benchmarks.Measurement;

/// <summary>
/// Measures two sides in turn, A B B A A B …, so that whatever changes on the machine meanwhile changes both; only the ratio within
/// a round counts.
/// </summary>
/// <param name="rounds">Rounds that count.</param>
internal sealed class PairedRunner(int rounds)
{
    public const int FewestRounds = 25;

    private const double SampleSeconds = 0.02;
    private const double WarmUpSeconds = 0.6;
    private const int FewestWarmUps = 3;

    /// <summary>Ratio of the times first / second.</summary>
    /// <param name="first">Runs once.</param>
    /// <param name="second">Runs once.</param>
    /// <param name="inverted">Whether the ratio is that of throughputs.</param>
    public PairedResult Compare(Action first, Action second, bool inverted = false) => Compare(Timed(first), Timed(second), inverted);

    /// <summary>Ratio of the times first / second.</summary>
    /// <param name="first">Runs as often as it is told and gives the seconds that one run took.</param>
    /// <param name="second">Likewise.</param>
    /// <param name="inverted">Whether the ratio is that of throughputs.</param>
    public PairedResult Compare(Func<int, double> first, Func<int, double> second, bool inverted = false)
    {
        var firstRepeats = WarmUp(first);
        var secondRepeats = WarmUp(second);
        var times = new List<(double First, double Second)>(rounds);
        for (var round = 0; round < rounds; round++)
        {
            if (round % 2 == 0)
            {
                var a = first(firstRepeats);
                times.Add((a, second(secondRepeats)));
            }
            else
            {
                var b = second(secondRepeats);
                times.Add((first(firstRepeats), b));
            }
        }

        return PairedResult.Of(times, inverted);
    }

    /// <summary>
    /// An action that is timed as a whole; a short one after a run that is not timed, so that caches and threads are its own.
    /// </summary>
    public static Func<int, double> Timed(Action action) => repeats =>
    {
        if (repeats > 1)
            action();
        var watch = Stopwatch.StartNew();
        for (var i = 0; i < repeats; i++)
            action();
        return watch.Elapsed.TotalSeconds / repeats;
    };

    // Gives the runs that a sample needs. Long enough for the runtime to have compiled everything to its last tier.
    private static int WarmUp(Func<int, double> side)
    {
        var watch = Stopwatch.StartNew();
        var seconds = side(1);
        for (var i = 1; i < FewestWarmUps || watch.Elapsed.TotalSeconds < WarmUpSeconds; i++)
            seconds = side(1);
        return (int)Math.Clamp(Math.Ceiling(SampleSeconds / Math.Max(seconds, 1e-7)), 1, 100_000);
    }
}
