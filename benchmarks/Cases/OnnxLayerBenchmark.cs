using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Benchmarks.References;
using Microsoft.ML.Moe.Onnx;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>
/// C10: the layers of C1 and C2, on all of their tokens and on few, against ONNX Runtime on the same weights and input, in both forms that the export
/// writes: operators of ONNX alone, which gather each expert's tokens, and ONNX Runtime's own operator for mixtures.
/// </summary>
internal sealed class OnnxLayerBenchmark : IBenchmark
{
    private const int FewTokens = MoeShape.SequenceLength;
    private const float Tolerance = 1e-4f;

    private static readonly MoeShape[] Shapes =
    [
        MoeShape.FewExperts, MoeShape.ManyExperts, MoeShape.FewExperts with { Tokens = FewTokens }, MoeShape.ManyExperts with { Tokens = FewTokens },
    ];

    public string Id => "C10";

    public string? Reference => OnnxSessions.Version;

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads)
    {
        foreach (var shape in Shapes)
        {
            using var moe = new MoeBench(shape, threads);
            foreach (var operators in new[] { OnnxOperators.Portable, OnnxOperators.Microsoft })
                yield return Compare(runner, moe, operators, threads);
        }
    }

    private Figure Compare(PairedRunner runner, MoeBench moe, OnnxOperators operators, int threads)
    {
        var path = Path.Combine(Path.GetTempPath(), $"moe-layer-{Environment.ProcessId}.onnx");
        try
        {
            moe.WriteOnnx(path, operators);
            using var reference = new OnnxLayer(path, moe.Input.Value, threads);
            var expected = moe.Output();
            var most = expected.Max(MathF.Abs);
            var difference = expected.Zip(reference.Output(), (a, b) => MathF.Abs(a - b)).Max();
            if (!(difference <= Tolerance * most))
                throw new InvalidOperationException($"The layers disagree by up to {difference:G3}, of {most:G3} at most.");
            var shape = moe.Shape;
            var result = runner.Compare(moe.Forward(moe.TokenChoice, shape.Sequences), reference.Run);
            var form = operators == OnnxOperators.Portable ? "operators of ONNX" : "com.microsoft.MoE";
            return new Figure(Id, $"MoE {shape} / {OnnxSessions.Version}, {form}", threads, result.Ratio, result.Spread, new Bound(1.0))
            {
                Seconds = result.First,
                ReferenceSeconds = result.Second,
                Work = shape.WorkOf((long)shape.Tokens * shape.ExpertsPerToken),
            };
        }
        finally
        {
            File.Delete(path);
        }
    }
}
