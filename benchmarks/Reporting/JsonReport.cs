using System.Text.Json;
using Microsoft.ML.Moe.Benchmarks.Gpu;
using Microsoft.ML.Moe.Benchmarks.Measurement;

namespace Microsoft.ML.Moe.Benchmarks.Reporting;

/// <summary>The figures, for programs.</summary>
internal static class JsonReport
{
    private static readonly JsonSerializerOptions Options = new() { WriteIndented = true };

    /// <summary>Writes the figures that have a goal.</summary>
    public static void Write(FileInfo file, IEnumerable<Figure> figures)
    {
        var rows = figures.Where(f => f.Bound is not null).Select(f => new
        {
            id = f.Id,
            work = f.Title,
            threads = f.Threads,
            ratio = Math.Round(f.Ratio, 4),
            mustReach = f.Bound!.Value.Value,
            spread = Math.Round(f.Spread, 4),
        });
        WriteValue(file, rows);
    }

    /// <summary>Writes all figures of a device, and whether it was a GPU.</summary>
    public static void Write(FileInfo file, GpuReport report) => WriteValue(file, new
    {
        device = report.Device,
        trial = report.IsTrial,
        scale = report.Scale,
        peakFlopsPerSecond = report.Limits.FlopsPerSecond,
        peakBFloat16FlopsPerSecond = report.Limits.BFloat16FlopsPerSecond,
        copyBytesPerSecond = report.Limits.BytesPerSecond,
        figures = report.Figures.Select(f => Describe(f, report.Limits)),
    });

    /// <summary>Writes all figures, whether they have a goal or not.</summary>
    public static void WriteAll(FileInfo file, IEnumerable<Figure> figures) => WriteValue(file, figures.Select(f => Describe(f, limits: null)));

    private static object Describe(Figure figure, DeviceLimits? limits) => new
    {
        id = figure.Id,
        work = figure.Title,
        seconds = figure.Seconds,
        referenceSeconds = figure.ReferenceSeconds,
        shareOfLimit = figure is { Work: { } work, Seconds: { } seconds } && limits is not null
            ? Math.Round(limits.Share(work, seconds), 4)
            : (double?)null,
        ratio = Math.Round(figure.Ratio, 4),
        mustReach = figure.Bound?.Value,
        spread = Math.Round(figure.Spread, 4),
    };

    private static void WriteValue<T>(FileInfo file, T value) =>
        File.WriteAllText(file.FullName, JsonSerializer.Serialize(value, Options) + "\n");
}
