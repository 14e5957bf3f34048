using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Benchmarks.References;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>K2: single operations at B32 S64 D256 H4 against PyTorch: forward, and forward with backward.</summary>
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
        var xTD = Values.Input(engine, T, D);
        var gain = Values.Input(engine, D);
        var bias = Values.Input(engine, D);
        var tableVD = engine.CreateParameter("table", [V, D], Values.Random(V * D, 1f), sparseRows: true);
        var random = new Random(3);
        var indices = Enumerable.Range(0, T).Select(_ => random.Next(V)).ToArray();

        // Backward, products are twice as many, and the gradients are read and written besides.
        (string Name, Work Forward, Work Both, Parameter[] Inputs, Func<Tape, Tensor> Run)[] operations =
        [
            ("attention", new Work(4.0 * T * S * D, 16.0 * T * D), new Work(12.0 * T * S * D, 44.0 * T * D), [qkvT3D],
                tape => tape.Attention(qkvT3D, layout, H)),
            ("layer_norm", new Work(0, 8.0 * T * D), new Work(0, 20.0 * T * D), [xTD, gain, bias],
                tape => tape.LayerNorm(xTD, gain, bias)),
            ("embedding", new Work(0, 8.0 * T * D), new Work(0, 16.0 * T * D), [tableVD], tape => tape.Embedding(tableVD, indices)),
            ("softmax", new Work(0, 8.0 * T * D), new Work(0, 20.0 * T * D), [xTD], tape => tape.Softmax(xTD)),
        ];
        foreach (var (name, work, _, _, run) in operations)
        {
            yield return Compare(runner, threads, name, name, work, PairedRunner.Timed(() =>
            {
                using var tape = engine.BeginTape(training: false);
                run(tape);
            }));
        }

        yield return MeasureAdamW(runner, threads, engine);
        foreach (var (name, _, work, inputs, run) in operations)
        {
            yield return Compare(
                runner, threads, name + "_backward", name + " forward + backward", work, GradientTiming.Timed(engine, inputs, run));
        }
    }

    private Figure MeasureAdamW(PairedRunner runner, int threads, ManagedEngine engine)
    {
        var weight = Values.Input(engine, D, 16 * D);
        using var optimizer = engine.CreateAdamW([new ParameterGroup([weight], 1e-3f, 0.01f)]);
        // A step without a backward pass before it works on a gradient of zeros, which it first has to write.
        return Compare(
            runner, threads, "adamw", "adamw", new Work(0, 4.0 * 8 * AdamLength), PairedRunner.Timed(() => optimizer.Step(1f)));
    }

    private Figure Compare(PairedRunner runner, int threads, string name, string title, Work work, Func<int, double> ours)
    {
        var result = runner.Compare(ours, repeats => PyTorch.Instance!.Run(name, threads, repeats));
        return new Figure(
            Id, $"{title} B{B} S{S} D{D} H{H} / {PyTorch.Instance!.Version}", threads, result.Ratio, result.Spread, new Bound(1.0))
        {
            Seconds = result.First,
            ReferenceSeconds = result.Second,
            Work = work,
        };
    }
}
