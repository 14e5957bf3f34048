using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>C4: the other policies against Token Choice at equal numbers of token–expert pairs, whole layer.</summary>
internal sealed class RoutingBenchmark : IBenchmark
{
    private const double UncertainShare = 0.05;

    private static readonly (MoeShape Shape, double Bound)[] Shapes =
    [
        (MoeShape.FewExperts, 1.05),
        (MoeShape.ManyExperts, 1.10),
    ];

    public string Id => "C4";

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads)
    {
        foreach (var (shape, bound) in Shapes)
        {
            using var moe = new MoeBench(shape, threads);
            foreach (var (scope, layout) in new[] { ("sequences of 64", shape.Sequences), ("one group", shape.OneSequence) })
            {
                var k = shape.ExpertsPerToken;
                yield return Measure(runner, threads, moe, "Expert Choice", scope, new ExpertChoice(k), layout, false, bound);
                yield return Measure(runner, threads, moe, "Unified", scope, new Unified(k), layout, false, bound);
                if (layout.Sequences == 1)
                    continue;
                var workspace = moe.Logits.WorkspaceWithEqualPairs(UncertainShare, layout);
                yield return Measure(runner, threads, moe, "Unified + workspace 5 %", scope, workspace, layout, true, bound);
            }
        }
    }

    private Figure Measure(
        PairedRunner runner,
        int threads,
        MoeBench moe,
        string name,
        string scope,
        RoutingPolicy policy,
        SequenceLayout layout,
        bool training,
        double bound)
    {
        var pairs = moe.Logits.Plan(policy, layout, training).Pairs;
        var result = moe.Compare(runner, policy, moe.TokenChoice, layout, training);
        return new Figure(
            Id, $"{name} / Token Choice, E{moe.Shape.Experts}, {scope}", threads, result.Ratio, result.Spread, new Bound(bound))
        {
            Seconds = result.First,
            ReferenceSeconds = result.Second,
            Work = moe.Shape.WorkOf(pairs),
        };
    }
}
