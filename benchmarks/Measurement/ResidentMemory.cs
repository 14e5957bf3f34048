using System.Diagnostics;
using System.Globalization;

namespace Microsoft.ML.Moe.Benchmarks.Measurement;

/// <summary>What this process has in memory, as Linux tells it; elsewhere less of it.</summary>
internal static class ResidentMemory
{
    private const string Status = "/proc/self/status";

    /// <summary>The most that was resident at any time, in GB: files that are mapped count where they were read.</summary>
    public static double Peak => ReadAll().TryGetValue("VmHWM", out var peak) ? peak : Process.GetCurrentProcess().PeakWorkingSet64 / 1e9;

    /// <summary>What is resident now, and how much of it is a file's.</summary>
    public static string Text()
    {
        var parts = ReadAll().Where(part => part.Key is "RssAnon" or "RssFile")
            .Select(part => string.Create(CultureInfo.InvariantCulture, $"{part.Key} {part.Value:F2}"));
        return string.Create(
            CultureInfo.InvariantCulture, $"{Process.GetCurrentProcess().WorkingSet64 / 1e9:F2} GB resident ({string.Join(", ", parts)})");
    }

    // in kB there, which are of 1024 bytes
    private static Dictionary<string, double> ReadAll() => !File.Exists(Status) ? [] : File.ReadLines(Status)
        .Where(line => line.EndsWith(" kB", StringComparison.Ordinal))
        .Select(line => line.Split(':', StringSplitOptions.TrimEntries))
        .ToDictionary(line => line[0], line => long.Parse(line[1].Split(' ')[0], CultureInfo.InvariantCulture) * 1024 / 1e9);
}
