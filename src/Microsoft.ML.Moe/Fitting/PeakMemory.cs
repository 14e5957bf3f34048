using System.Diagnostics;
using System.Globalization;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.Fitting;

/// <summary>Tells how much memory a training has taken.</summary>
internal static class PeakMemory
{
    private const double Mebibyte = 1 << 20;

    /// <summary>Writes the engine's peak and the process's to a log; nothing where the engine does not know its own.</summary>
    /// <param name="channel">The log.</param>
    /// <param name="engine">The engine that has trained.</param>
    public static void Log(IChannel channel, Engine engine)
    {
        if (engine.PeakMemory is not { } bytes)
            return;
        using var process = Process.GetCurrentProcess();

        // not every system tells
        var peak = process.PeakWorkingSet64;
        var ofProcess = peak > 0 ? string.Create(CultureInfo.InvariantCulture, $", {peak / Mebibyte:F0} MiB the process") : "";
        channel.Info(
            MessageSensitivity.None,
            string.Create(
                CultureInfo.InvariantCulture,
                $"Peak memory of the managed engine: {bytes / Mebibyte:F0} MiB in buffers, {(engine.PackedWeights ?? 0) / Mebibyte:F0} MiB of them weights packed for scoring{ofProcess}."));
    }
}
