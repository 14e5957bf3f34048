using System.Diagnostics;
using System.Runtime.InteropServices;
using Microsoft.ML.Moe.Benchmarks.Cases;
using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Benchmarks.References;
using Microsoft.ML.Moe.Benchmarks.Reporting;

namespace Microsoft.ML.Moe.Benchmarks.Gpu;

/// <summary>
/// The GPU's benchmarks, in the order in which they are reported; those of an id and a precision in a process of their own.
/// </summary>
internal static class GpuSuite
{
    private const double LeastShareOfPeak = 0.45;
    private const double LeastGainOverLoop = 2.5;
    private const string HostWait = "G6";
    private static readonly string[] Ids = ["G1", "G2", "G3", "G4", "G5", HostWait, "G7"];
    private static readonly int[] DecodedTokens = [1, 16, 64];
    private static readonly MoeShape FewLargeExperts = new(16384, 4096, 14336, 8, 2);
    private static readonly MoeShape ManySmallExperts = new(16384, 2048, 1024, 64, 8);

    /// <summary>Measures everything, each row in single precision and in bfloat16.</summary>
    /// <param name="gpu">Number of the GPU; null for a trial on the CPU.</param>
    /// <param name="scale">What tokens, width and expert width are divided by.</param>
    /// <param name="rounds">Rounds of each pair.</param>
    /// <param name="time">What it may take; then the table has what is there.</param>
    /// <returns>The report; null where libtorch does not run, or not on the device.</returns>
    public static GpuReport? Run(int? gpu, int scale, int rounds, TimeSpan time)
    {
        var watch = Stopwatch.StartNew();
        Report.Prepare();
        if (LibTorch.Missing is { } missing)
        {
            Report.ShowSkipped("gpu", missing);
            return null;
        }

        var device = new TorchDevice(gpu, inBFloat16: false);
        var description = Description(device);
        Report.ShowDevice(description, device.IsTrial, scale);
        Report.ShowReference(ExpertReferences.Version);
        DeviceLimits? limits = null;
        var figures = new List<Figure>();
        var shown = new HashSet<string>();
        Measure(new GpuPart(Id: null, gpu, InBFloat16: false, scale, rounds));
        if (limits is null)
            return null;
        Report.ShowLimits(limits, device.Name);
        // The host waits for the same in any precision.
        var parts =
            from id in Ids
            from inBFloat16 in Enumerable.Range(0, id == HostWait ? 1 : 2).Select(precision => precision > 0)
            select new GpuPart(id, gpu, inBFloat16, scale, rounds, limits);
        foreach (var part in parts.TakeWhile(part => !IsTimeUp(part)))
            Measure(part);

        var title = device.IsTrial ? "TRIAL on the CPU: no figure of a GPU. Median of paired ratios" : "Median of paired ratios";
        Report.ShowFigures(figures, (work, seconds, _) => limits.Share(work, seconds), title, judges: !device.IsTrial);
        return new GpuReport(description, device.IsTrial, scale, limits, figures);

        bool IsTimeUp(GpuPart next)
        {
            if (watch.Elapsed < time)
                return false;
            Report.ShowSkipped($"{next} and what follows", $"the {time.TotalMinutes:0.#} minutes are up; --minutes allows more.");
            return true;
        }

        void Measure(GpuPart part)
        {
            if (GpuPartCommand.Run(part, time - watch.Elapsed, Receive, ShowOnce) is { } problem)
                Report.ShowSkipped($"The rest of {part}", problem);
        }

        void Receive(GpuLine line)
        {
            limits ??= line.Limits;
            if (line.Figure is not { } figure)
                return;
            Report.ShowProgress(figure);
            figures.Add(figure);
        }

        void ShowOnce(string text)
        {
            if (shown.Add(text))
                Console.WriteLine(text);
        }
    }

    /// <summary>Measures a part, in this process.</summary>
    /// <param name="part">The part.</param>
    /// <param name="onLine">Gets each figure at once.</param>
    public static void Measure(GpuPart part, Action<GpuLine> onLine)
    {
        var device = part.Device;
        if (part is not { Id: { } id, Limits: { } limits })
        {
            onLine(new GpuLine(Limits: DeviceLimits.Measure(device)));
            return;
        }

        var runner = new PairedRunner(part.Rounds);
        foreach (var benchmark in Benchmarks(id, device, limits, part.Scale))
        {
            if (benchmark.MissingReference is { } missing)
            {
                Report.ShowSkipped($"{part}", missing);
                continue;
            }

            try
            {
                foreach (var figure in benchmark.Measure(runner, device.Threads))
                    onLine(new GpuLine(figure));
            }
            catch (Exception e) when (e is InsufficientMemoryException or InvalidOperationException or ExternalException)
            {
                // A side that fails, usually for want of memory, takes nothing from the other rows.
                Report.ShowSkipped($"The rest of {part}, {benchmark.GetType().Name}", e.Message.Split('\n')[0]);
            }
        }
    }

    private static IEnumerable<IBenchmark> Benchmarks(string id, TorchDevice device, DeviceLimits limits, int scale)
    {
        var references = new ExpertReferences(device);
        foreach (var reason in references.Missing)
            Report.ShowSkipped("gpu", reason);
        return id switch
        {
            "G1" =>
            [
                new LayerBenchmark(id, Scaled(FewLargeExperts), device, references) { PeakGoal = (limits, LeastShareOfPeak) },
                .. Policies(FewLargeExperts),
            ],
            "G2" =>
            [
                new LayerBenchmark(id, Scaled(ManySmallExperts), device, references) { GoalOverLoop = LeastGainOverLoop },
                .. Policies(ManySmallExperts),
            ],
            // Few tokens are the point: they stay as few.
            "G3" => DecodedTokens.Select(tokens =>
                new LayerBenchmark(id, (ManySmallExperts with { Tokens = tokens }).Narrower(scale), device, references)),
            "G4" => [new TrainingBenchmark(id, Scaled(FewLargeExperts with { Tokens = 8192 }), device, references)],
            "G5" => [new PeakMemoryBenchmark(id, Scaled(FewLargeExperts with { Tokens = 8192 }), device, references)],
            HostWait =>
                [new HostWaitBenchmark(id, Scaled(FewLargeExperts), device), new HostWaitBenchmark(id, Scaled(ManySmallExperts), device)],
            "G7" => [new TextTrainerBenchmark(id, device), new ImageTrainerBenchmark(id, device)],
            _ => throw new ArgumentOutOfRangeException(nameof(id), id, "No such part."),
        };

        MoeShape Scaled(MoeShape shape) => (shape with { Tokens = shape.Tokens / scale }).Narrower(scale);

        // In bfloat16 only: products take the least time there, so that choosing costs the largest share.
        IEnumerable<IBenchmark> Policies(MoeShape shape) =>
            device.InBFloat16 ? [new PolicyBenchmark(id, Scaled(shape), device)] : [];
    }

    private static string Description(TorchDevice device)
    {
        using var engine = device.CreateEngine();
        return engine.Description;
    }
}
