using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Benchmarks.References;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>K2: single operations at B32 S64 D256 H4 against PyTorch, forward.</summary>
internal sealed class OperationBenchmark : IBenchmark
{
    private const int B = 32;
    private const int S = 64;
    private const int D = 256;
    private const int H = 4;
    private const int T = B * S;
    private const int V = 65536;
    private const int AdamLength = 16 * D * D;

    public string Id => "K2";

    public string? Reference => PyTorch.Instance?.Version;

    public string? MissingReference => PyTorch.Instance is null ? "PyTorch (python3-torch) is not installed." : null;

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads)
    {
        using var engine = new ManagedEngine(threads);
        var layout = new SequenceLayout([.. Enumerable.Range(0, B + 1).Select(i => i * S)]);
        var qkvT3D = Values.Input(engine, T, 3 * D);
        yield return Measure("attention", new Work(4.0 * T * S * D, 4.0 * 4 * T * D), tape => tape.Attention(qkvT3D, layout, H));

        var xTD = Values.Input(engine, T, D);
        var gain = Values.Input(engine, D);
        var bias = Values.Input(engine, D);
        yield return Measure("layer_norm", new Work(0, 8.0 * T * D), tape => tape.LayerNorm(xTD, gain, bias));

        var tableVD = Values.Input(engine, V, D);
        var random = new Random(3);
        var indices = Enumerable.Range(0, T).Select(_ => random.Next(V)).ToArray();
        yield return Measure("embedding", new Work(0, 8.0 * T * D), tape => tape.Embedding(tableVD, indices));
        yield return Measure("softmax", new Work(0, 8.0 * T * D), tape => tape.Softmax(xTD));
        yield return MeasureAdamW(runner, threads, engine);

        Figure Measure(string name, Work work, Func<Tape, Tensor> operation)
        {
            var ours = PairedRunner.Timed(() =>
            {
                using var tape = engine.BeginTape(training: false);
                operation(tape);
            });
            return Compare(runner, threads, name, work, ours);
        }
    }

    private Figure MeasureAdamW(PairedRunner runner, int threads, ManagedEngine engine)
    {
        var weight = Values.Input(engine, D, 16 * D);
        using var optimizer = engine.CreateAdamW([new ParameterGroup([weight], 1e-3f, 0.01f)]);
        // A step without a backward pass before it works on a gradient of zeros, which it first has to write.
        return Compare(
            runner, threads, "adamw", new Work(0, 4.0 * 8 * AdamLength), PairedRunner.Timed(() => optimizer.Step(1f)));
    }

    private Figure Compare(PairedRunner runner, int threads, string name, Work work, Func<int, double> ours)
    {
        var result = runner.Compare(ours, repeats => PyTorch.Instance!.Run(name, threads, repeats));
        return new Figure(
            Id, $"{name} B{B} S{S} D{D} H{H} / {PyTorch.Instance!.Version}", threads, result.Ratio, result.Spread, new Bound(1.0))
        {
            Seconds = result.First,
            ReferenceSeconds = result.Second,
            Work = work,
        };
    }
}
