using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>
/// P3: tokens of one sequence, one after the other, with a mixture of about 1 B parameters, in bfloat16 and in int8. Each token reads all active
/// weights once: their bytes a second beside those of a copy, read and written, between memory far larger than the caches.
/// </summary>
internal sealed class DecodingBenchmark : IBenchmark
{
    public string Id => "P3";

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads)
    {
        using var engine = new ManagedEngine(threads);
        var copy = new MemoryCopy(engine, threads);
        foreach (var precision in new[] { WeightPrecision.AsStored, WeightPrecision.Int8 })
        {
            var model = PublishedMixtures.Granite.Load(engine, precision);
            var bytes = PublishedMixtures.ActiveBytes(model);
            using var steps = new DecodingSteps(new CausalModel(model));
            var result = runner.Compare(steps.Next, copy.Run, inverted: true);
            var factor = bytes / copy.Bytes;
            yield return new Figure(
                Id,
                $"decoding with {PublishedMixtures.ActiveWeights(model) / 1e9:F2} B active weights in {(precision == WeightPrecision.Int8 ? "int8" : "bfloat16")}: "
                + "their bytes per second / copy bandwidth",
                threads,
                result.Ratio * factor,
                result.Spread * factor,
                precision == WeightPrecision.Int8 ? null : new Bound(0.5, IsLower: true))
            {
                Seconds = result.First,
                ReferenceSeconds = result.Second,
                Work = new Work(2 * PublishedMixtures.ActiveWeights(model), bytes),
                ReferenceWork = new Work(0, copy.Bytes),
            };
        }
    }

    /// <summary>A copy that the engine's threads share.</summary>
    private sealed class MemoryCopy(Engine engine, int threads)
    {
        private const int PartBytes = 1 << 24;
        private readonly int _parts = 4 * threads;
        private readonly byte[] _source = new byte[4 * threads * PartBytes];
        private readonly byte[] _target = new byte[4 * threads * PartBytes];

        /// <summary>Read and written.</summary>
        public double Bytes => 2.0 * _source.Length;

        public void Run() => engine.ForEach(_parts, part => _source.AsSpan(part * PartBytes, PartBytes).CopyTo(_target.AsSpan(part * PartBytes)));
    }
}
