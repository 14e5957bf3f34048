using System.CommandLine;
using System.Text.Json;
using Microsoft.ML.Moe.Benchmarks.Reporting;

namespace Microsoft.ML.Moe.Benchmarks.Gpu;

/// <summary>
/// The command with which the program measures a part of the GPU's suite in a process of its own: what fails or hangs there takes nothing
/// from the rest, memory of a device that libtorch keeps is given back, and a peak of memory is that part's.
/// </summary>
internal sealed class GpuPartCommand : System.CommandLine.Command
{
    private const string CommandName = "gpu-part";

    public GpuPartCommand()
        : base(CommandName)
    {
        Hidden = true;
        Argument<string> part = new("part");
        Add(part);
        SetAction(result =>
        {
            Report.Prepare();
            GpuSuite.Measure(JsonSerializer.Deserialize<GpuPart>(result.GetValue(part)!)!, line => Console.WriteLine(line));
        });
    }

    /// <summary>Measures a part in a process of its own.</summary>
    /// <param name="part">The part.</param>
    /// <param name="limit">How long it may take.</param>
    /// <param name="onLine">Gets each figure at once.</param>
    /// <param name="onText">Gets what else it says.</param>
    /// <returns>What went wrong; null if nothing.</returns>
    public static string? Run(GpuPart part, TimeSpan limit, Action<GpuLine> onLine, Action<string> onText) =>
        OwnProgram.Run([CommandName, JsonSerializer.Serialize(part)], limit, text =>
        {
            if (GpuLine.Parse(text) is { } line)
                onLine(line);
            else
                onText(text);
        });
}
