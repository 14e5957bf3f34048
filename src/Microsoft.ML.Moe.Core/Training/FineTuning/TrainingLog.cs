using System.Diagnostics;
using System.Globalization;

namespace Microsoft.ML.Moe.Training;

/// <summary>Tells an observer which stage of a training runs, and when it began.</summary>
/// <param name="observer">The observer; null for none.</param>
internal sealed class TrainingLog(ITrainingObserver? observer)
{
    private readonly Stopwatch _clock = Stopwatch.StartNew();

    /// <summary>A line for the log, with the seconds since the beginning.</summary>
    public void Say(FormattableString text) =>
        observer?.OnMessage(string.Create(CultureInfo.InvariantCulture, $"{_clock.Elapsed.TotalSeconds:F0} s: ") + FormattableString.Invariant(text));

    /// <summary>
    /// Gives back what a stage has left: large arrays, which the collector, with memory to spare, would let pile up to several times what is in use.
    /// </summary>
    public static void ReleaseMemory() => GC.Collect();

    /// <summary>A stage has come further.</summary>
    public void Progress(string stage, int done, int total) => observer?.OnProgress(stage, done, total);
}
