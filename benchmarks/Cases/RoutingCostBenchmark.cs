using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>What choosing experts costs: time of a policy, and of the pairs' weights, over the time of the whole layer.</summary>
internal sealed class RoutingCostBenchmark : IBenchmark
{
    private static readonly MoeShape[] Shapes = [MoeShape.FewExperts, MoeShape.ManyExperts];

    public string Id => "routing";

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads)
    {
        foreach (var shape in Shapes)
        {
            using var moe = new MoeBench(shape, threads);
            var layout = shape.Sequences;
            var layer = moe.Forward(moe.TokenChoice, layout);
            var plan = moe.Logits.Plan(moe.TokenChoice, layout, training: false);
            var weights = new float[plan.Pairs];
            yield return Share("Token Choice", () => moe.Logits.Plan(moe.TokenChoice, layout, training: false));
            yield return Share("Expert Choice", () => moe.Logits.Plan(new ExpertChoice(shape.ExpertsPerToken), layout, training: false));
            yield return Share("Unified", () => moe.Logits.Plan(new Unified(shape.ExpertsPerToken), layout, training: false));
            yield return Share("the pairs' weights", () => CombineWeights.Forward(moe.Logits.Values, plan, weights, 0, plan.Tokens));

            Figure Share(string name, Action part)
            {
                var result = runner.Compare(part, layer);
                return new Figure(Id, $"{name} / layer with Token Choice, E{shape.Experts}", threads, result.Ratio, result.Spread, null)
                {
                    Seconds = result.First,
                    ReferenceSeconds = result.Second,
                };
            }
        }
    }
}
