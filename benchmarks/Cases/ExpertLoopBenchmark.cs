using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Benchmarks.References;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>C3: the layers of C1 and C2 against a loop over experts in PyTorch.</summary>
internal sealed class ExpertLoopBenchmark : IBenchmark
{
    private static readonly (string Name, MoeShape Shape)[] Shapes =
    [
        ("C1", new MoeShape(2048, 512, 2048, 8, 2)),
        ("C2", new MoeShape(2048, 512, 256, 64, 8)),
    ];

    public string Id => "C3";

    public string? Reference => PyTorch.Instance?.Version;

    public string? MissingReference => PyTorch.Instance is null ? "PyTorch (python3-torch) is not installed." : null;

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads)
    {
        foreach (var (name, shape) in Shapes)
        {
            using var moe = new MoeBench(shape, threads);
            var result = runner.Compare(
                PairedRunner.Timed(moe.Forward(moe.TokenChoice, shape.Sequences)),
                repeats => PyTorch.Instance!.Run(name, threads, repeats));
            yield return new Figure(
                Id, $"MoE {shape} / {PyTorch.Instance!.Version}, loop over experts", threads, result.Ratio, result.Spread, new Bound(0.85))
            {
                Seconds = result.First,
                ReferenceSeconds = result.Second,
                Work = shape.WorkOf((long)shape.Tokens * shape.ExpertsPerToken),
            };
        }
    }
}
