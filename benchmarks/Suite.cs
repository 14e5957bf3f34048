using Microsoft.ML.Moe.Benchmarks.Cases;
using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Benchmarks.Reporting;
using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Benchmarks;

/// <summary>All benchmarks, in the order in which they are reported.</summary>
internal static class Suite
{
    private static readonly IBenchmark[] Benchmarks =
    [
        new GemmBenchmark(),
        new OperationBenchmark(),
        new MoeLayerBenchmark("C1", MoeShape.FewExperts, 1.20),
        new MoeLayerBenchmark("C2", MoeShape.ManyExperts, 1.60),
        new ExpertLoopBenchmark(),
        new OnnxLayerBenchmark(),
        new RoutingBenchmark(),
        new RoutingCostBenchmark(),
        new WorkspaceBenchmark(),
        new TextTrainingBenchmark(),
        new TextTableBenchmark(),
        new PredictionBenchmark(),
        new PrecisionBenchmark(),
        new PublishedEncoderBenchmark(),
        new FineTuningBenchmark(),
        new DecodingBenchmark(),
        new PromptBenchmark(),
        new SwitchTrainingBenchmark(),
        new LlamaCppBenchmark(),
        new MemoryBenchmark(),
        new GrowthBenchmark(),
        new LibTorchBenchmark(),
    ];

    public static IEnumerable<string> Ids => Benchmarks.Select(benchmark => benchmark.Id);

    /// <summary>Measures.</summary>
    /// <param name="ids">What to measure.</param>
    /// <param name="rounds">Rounds of each pair.</param>
    /// <param name="threads">Numbers of threads; empty for 1 and 2, or 1 where the machine has no more.</param>
    public static IReadOnlyList<Figure> Run(IReadOnlyCollection<string> ids, int rounds, int[] threads)
    {
        if (threads.Length == 0)
            threads = Environment.ProcessorCount > 1 ? [1, 2] : [1];
        Report.Prepare();
        var limits = MachineLimits.Measure(threads);
        Report.ShowLimits(limits, threads, Kernels.Create().VectorBits);
        var runner = new PairedRunner(rounds);
        var figures = new List<Figure>();
        foreach (var benchmark in Benchmarks.Where(b => ids.Contains(b.Id, StringComparer.OrdinalIgnoreCase)))
        {
            if (benchmark.MissingReference is { } missing)
            {
                Report.ShowSkipped(benchmark.Id, missing);
                continue;
            }

            Report.ShowReference(benchmark.Reference);
            foreach (var count in threads)
            {
                foreach (var figure in benchmark.Measure(runner, count))
                {
                    Report.ShowProgress(figure);
                    figures.Add(figure);
                }
            }
        }

        Report.ShowFigures(figures, limits.Share, "Median of paired ratios");
        return figures;
    }
}
