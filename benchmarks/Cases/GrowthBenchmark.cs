using Microsoft.ML.Moe.Benchmarks.Measurement;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>Time of a MoE layer after doubling a size, over the time before. Linear growth is 2 for T, D and F and 1 for E.</summary>
internal sealed class GrowthBenchmark : IBenchmark
{
    private static readonly MoeShape Base = new(1024, 256, 512, 8, 2);

    private static readonly (string Name, MoeShape Shape)[] Doubled =
    [
        ("T (= batch)", Base with { Tokens = 2 * Base.Tokens }),
        ("D", Base with { Width = 2 * Base.Width }),
        ("F", Base with { HiddenWidth = 2 * Base.HiddenWidth }),
        ("E", Base with { Experts = 2 * Base.Experts }),
    ];

    public string Id => "growth";

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads)
    {
        using var before = new MoeBench(Base, threads);
        foreach (var (name, shape) in Doubled)
        {
            using var after = new MoeBench(shape, threads);
            var result = runner.Compare(
                after.Forward(after.TokenChoice, shape.Sequences), before.Forward(before.TokenChoice, Base.Sequences));
            yield return new Figure(Id, $"{name} doubled from {Base}", threads, result.Ratio, result.Spread, null)
            {
                Seconds = result.First,
                ReferenceSeconds = result.Second,
                Work = shape.WorkOf((long)shape.Tokens * shape.ExpertsPerToken),
                ReferenceWork = Base.WorkOf((long)Base.Tokens * Base.ExpertsPerToken),
            };
        }
    }
}
