using System.Diagnostics;

namespace Microsoft.ML.Moe.Experiments.Runs;

/// <summary>CPU time of this process.</summary>
internal static class CpuTime
{
    /// <summary>What work gives, and the seconds of CPU time that it took, those of all threads.</summary>
    public static (T Result, double Seconds) Of<T>(Func<T> work)
    {
        using var process = Process.GetCurrentProcess();
        var before = process.TotalProcessorTime;
        var result = work();
        process.Refresh();
        return (result, (process.TotalProcessorTime - before).TotalSeconds);
    }
}
