using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Benchmarks.References;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>
/// C3: the layers of C1 and C2 against the same layer, with the same weights and input, as a loop over experts in PyTorch. And against that
/// with PyTorch's default GELU, by erf, in place of the layer's own, by tanh: another function, and a faster one there.
/// </summary>
internal sealed class ExpertLoopBenchmark : IBenchmark
{
    private static readonly MoeShape[] Shapes = [MoeShape.FewExperts, MoeShape.ManyExperts];

    public string Id => "C3";

    public string? Reference => PyTorch.Instance?.Version;

    public string? MissingReference => PyTorch.Instance is null ? "PyTorch (python3-torch) is not installed." : null;

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads)
    {
        foreach (var shape in Shapes)
        {
            using var moe = new MoeBench(shape, threads);
            using var file = moe.Write();
            var layer = PairedRunner.Timed(moe.Forward(moe.TokenChoice, shape.Sequences));
            foreach (var isGeluOfLayer in new[] { true, false })
            {
                var result = runner.Compare(layer, repeats => PyTorch.Instance!.Run(file.Loop(isGeluOfLayer), threads, repeats));
                var work = $"MoE {shape} / {PyTorch.Instance!.Version}, loop{(isGeluOfLayer ? string.Empty : ", GELU by erf")}";
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
