using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Benchmarks.References;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>
/// C3: the layers of C1 and C2 against a loop over experts in PyTorch, with PyTorch's default GELU (by erf), which is the faster one
/// there, and with the layer's own (by tanh).
/// </summary>
internal sealed class ExpertLoopBenchmark : IBenchmark
{
    private static readonly (string Name, MoeShape Shape)[] Shapes =
    [
        ("C1", new MoeShape(2048, 512, 2048, 8, 2)),
        ("C2", new MoeShape(2048, 512, 256, 64, 8)),
    ];

    private static readonly string[] Gelus = ["erf", "tanh"];

    public string Id => "C3";

    public string? Reference => PyTorch.Instance?.Version;

    public string? MissingReference => PyTorch.Instance is null ? "PyTorch (python3-torch) is not installed." : null;

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads)
    {
        foreach (var (name, shape) in Shapes)
        {
            using var moe = new MoeBench(shape, threads);
            var layer = PairedRunner.Timed(moe.Forward(moe.TokenChoice, shape.Sequences));
            foreach (var gelu in Gelus)
            {
                var result = runner.Compare(layer, repeats => PyTorch.Instance!.Run($"{name}/{gelu}", threads, repeats));
                var work = $"MoE {shape} / {PyTorch.Instance!.Version}, loop, GELU by {gelu}";
                yield return new Figure(Id, work, threads, result.Ratio, result.Spread, new Bound(0.85))
                {
                    Seconds = result.First,
                    ReferenceSeconds = result.Second,
                    Work = shape.WorkOf((long)shape.Tokens * shape.ExpertsPerToken),
                };
            }
        }
    }
}
