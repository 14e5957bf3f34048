using System.Text.Json;
using Microsoft.ML.Moe.Benchmarks.Measurement;

namespace Microsoft.ML.Moe.Benchmarks.Reporting;

/// <summary>The figures that have a goal, for programs.</summary>
internal static class JsonReport
{
    private static readonly JsonSerializerOptions Options = new() { WriteIndented = true };

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
        File.WriteAllText(file.FullName, JsonSerializer.Serialize(rows, Options) + "\n");
    }
}
