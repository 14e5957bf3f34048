using System.Globalization;
using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>C5: does a workspace cost more time than its additional pairs cost FLOPs?</summary>
internal sealed class WorkspaceBenchmark : IBenchmark
{
    private static readonly MoeShape Shape = MoeShape.FewExperts;

    public string Id => "C5";

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads)
    {
        using var moe = new MoeBench(Shape, threads);
        var layout = Shape.Sequences;
        foreach (var share in new[] { 0, 0.05, 0.2 })
        {
            var workspace = new GlobalWorkspace(moe.TokenChoice, moe.Logits.EntropyThreshold(share));
            var work = Shape.WorkOf(moe.Logits.Plan(workspace, layout, training: true).Pairs);
            var referenceWork = Shape.WorkOf(moe.Logits.Plan(moe.TokenChoice, layout, training: true).Pairs);
            var flopRatio = work.Flops / referenceWork.Flops;
            var result = moe.Compare(runner, workspace, moe.TokenChoice, layout, training: true);
            var percent = (100 * share).ToString("F0", CultureInfo.InvariantCulture);
            yield return new Figure(
                Id,
                $"workspace, {percent} % uncertain: time ratio / FLOP ratio",
                threads,
                result.Ratio / flopRatio,
                result.Spread / flopRatio,
                new Bound(1.10))
            {
                Seconds = result.First,
                ReferenceSeconds = result.Second,
                Work = work,
                ReferenceWork = referenceWork,
            };
        }
    }
}
