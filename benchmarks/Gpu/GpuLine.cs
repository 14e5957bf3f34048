using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Benchmarks.Measurement;

namespace Microsoft.ML.Moe.Benchmarks.Gpu;

/// <summary>
/// What a process that measures part of the suite tells the one that started it: a line of JSON, among others meant for readers.
/// </summary>
/// <param name="Figure">A figure.</param>
/// <param name="Limits">The device's limits.</param>
internal sealed record GpuLine(Figure? Figure = null, DeviceLimits? Limits = null)
{
    private static readonly JsonSerializerOptions Options = new()
    {
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals, IgnoreReadOnlyProperties = true,
    };

    /// <summary>As text.</summary>
    public override string ToString() => JsonSerializer.Serialize(this, Options);

    /// <summary>Reads a line; null if it is meant for readers.</summary>
    public static GpuLine? Parse(string line) =>
        line.StartsWith('{') ? JsonSerializer.Deserialize<GpuLine>(line, Options) : null;
}
