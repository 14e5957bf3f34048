using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Layers;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>C1, C2: a MoE layer, router included, against one dense network of equal active FLOPs.</summary>
internal sealed class MoeLayerBenchmark(string id, MoeShape shape, double bound) : IBenchmark
{
    public string Id => id;

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads)
    {
        using var moe = new MoeBench(shape, threads);
        var dense = new DenseFeedForward(
            Values.Store(moe.Engine), "dense", shape.Width, shape.ExpertsPerToken * shape.HiddenWidth, 1f);
        var layout = shape.Sequences;
        var result = runner.Compare(
            moe.Forward(moe.TokenChoice, layout),
            () =>
            {
                using var tape = moe.Engine.BeginTape(training: false);
                dense.Forward(new ForwardContext(tape, layout), moe.Input);
            });
        yield return new Figure(id, $"MoE {shape} / dense of equal active FLOPs", threads, result.Ratio, result.Spread, new Bound(bound))
        {
            Seconds = result.First,
            ReferenceSeconds = result.Second,
            Work = shape.WorkOf((long)shape.Tokens * shape.ExpertsPerToken),
        };
    }
}
