using System.Runtime.InteropServices;
using Microsoft.ML.Moe.Benchmarks.Cases;
using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Benchmarks.References;
using Microsoft.ML.Moe.Benchmarks.Reporting;

namespace Microsoft.ML.Moe.Benchmarks.Gpu;

/// <summary>The GPU's benchmarks, in the order in which they are reported.</summary>
internal static class GpuSuite
{
    private const double LeastShareOfPeak = 0.45;
    private const double LeastGainOverLoop = 2.5;
    private static readonly int[] DecodedTokens = [1, 16, 64];
    private static readonly MoeShape FewLargeExperts = new(16384, 4096, 14336, 8, 2);
    private static readonly MoeShape ManySmallExperts = new(16384, 2048, 1024, 64, 8);

    /// <summary>Measures everything, each row in single precision and in bfloat16.</summary>
    /// <param name="gpu">Number of the GPU; null for a trial on the processor.</param>
    /// <param name="scale">What tokens, width and expert width are divided by.</param>
    /// <param name="rounds">Rounds of each pair.</param>
    /// <returns>The report; null where libtorch does not run.</returns>
    public static GpuReport? Run(int? gpu, int scale, int rounds)
    {
        Report.Prepare();
        if (LibTorch.Missing is { } missing)
        {
            Report.ShowSkipped("gpu", missing);
            return null;
        }

        var device = new TorchDevice(gpu, inBFloat16: false);
        Report.ShowDevice(Description(device), device.IsTrial, scale);
        Report.ShowReference(ExpertReferences.Version);
        var sides = new[] { device, new TorchDevice(gpu, inBFloat16: true) }
            .Select(side => (Device: side, References: new ExpertReferences(side)))
            .ToArray();
        foreach (var reason in sides.SelectMany(side => side.References.Missing))
            Report.ShowSkipped("gpu", reason);

        var runner = new PairedRunner(rounds);
        var peakMemory = Run(sides.Select(side =>
            new PeakMemoryBenchmark("G5", Scaled(FewLargeExperts with { Tokens = 8192 }), side.Device, side.References)));
        var limits = DeviceLimits.Measure(device);
        Report.ShowLimits(limits, device.Name);
        var figures = Run(sides.SelectMany(side => Benchmarks(side.Device, side.References)))
            .Concat(peakMemory)
            .OrderBy(figure => figure.Id, StringComparer.Ordinal)
            .ToArray();
        var title = device.IsTrial ? "TRIAL on the processor: no figure of a GPU. Median of paired ratios" : "Median of paired ratios";
        Report.ShowFigures(figures, (work, seconds, _) => limits.Share(work, seconds), title, judges: !device.IsTrial);
        return new GpuReport(Description(device), device.IsTrial, scale, limits, figures);

        List<Figure> Run(IEnumerable<IBenchmark> benchmarks) => [.. benchmarks.SelectMany(benchmark => Measure(benchmark, runner, device))];

        MoeShape Scaled(MoeShape shape) => (shape with { Tokens = shape.Tokens / scale }).Narrower(scale);

        IEnumerable<IBenchmark> Benchmarks(TorchDevice device, ExpertReferences references) =>
        [
            new LayerBenchmark("G1", Scaled(FewLargeExperts), device, references) { PeakGoal = (limits, LeastShareOfPeak) },
            new PolicyBenchmark("G1", Scaled(FewLargeExperts), device),
            new LayerBenchmark("G2", Scaled(ManySmallExperts), device, references) { GoalOverLoop = LeastGainOverLoop },
            new PolicyBenchmark("G2", Scaled(ManySmallExperts), device),
            // Few tokens are the point: they stay as few.
            .. DecodedTokens.Select(tokens =>
                new LayerBenchmark("G3", (ManySmallExperts with { Tokens = tokens }).Narrower(scale), device, references)),
            new TrainingBenchmark("G4", Scaled(FewLargeExperts with { Tokens = 8192 }), device, references),
            .. HostWaits(device),
            new TextTrainerBenchmark("G7", device),
            new ImageTrainerBenchmark("G7", device),
        ];

        // The host waits for the same in any precision.
        IEnumerable<IBenchmark> HostWaits(TorchDevice device) => device.InBFloat16
            ? []
            : [new HostWaitBenchmark("G6", Scaled(FewLargeExperts), device), new HostWaitBenchmark("G6", Scaled(ManySmallExperts), device)];
    }

    private static List<Figure> Measure(IBenchmark benchmark, PairedRunner runner, TorchDevice device)
    {
        var figures = new List<Figure>();
        if (benchmark.MissingReference is { } missing)
        {
            Report.ShowSkipped(benchmark.Id, missing);
            return figures;
        }

        try
        {
            foreach (var figure in benchmark.Measure(runner, device.Threads))
            {
                Report.ShowProgress(figure);
                figures.Add(figure);
            }
        }
        catch (Exception e) when (e is InsufficientMemoryException or InvalidOperationException or ExternalException)
        {
            // A side that fails, usually for want of memory, takes nothing from the other rows.
            Report.ShowSkipped($"the rest of {benchmark.Id}", e.Message.Split('\n')[0]);
        }

        return figures;
    }

    private static string Description(TorchDevice device)
    {
        using var engine = device.CreateEngine();
        return engine.Description;
    }
}
