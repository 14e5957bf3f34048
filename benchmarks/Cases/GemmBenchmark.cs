using System.Runtime.InteropServices;
using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Benchmarks.References;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>K1: matrix products against OpenBLAS, packing and the result's memory included.</summary>
internal sealed unsafe class GemmBenchmark : IBenchmark
{
    public string Id => "K1";

    public string? Reference => OpenBlas.Instance?.Description;

    public string? MissingReference => OpenBlas.Instance is null ? "OpenBLAS (libopenblas.so.0) is not installed." : null;

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads) =>
    [
        Measure(runner, threads, 1024, 1024, 1024),
        Measure(runner, threads, 256, 512, 2048),
    ];

    private Figure Measure(PairedRunner runner, int threads, int rows, int columns, int depth)
    {
        using var engine = new ManagedEngine(threads);
        var x = Values.Input(engine, rows, depth);
        var weightIO = Values.Input(engine, depth, columns);
        var blas = OpenBlas.Instance!;
        blas.SetThreads(threads);
        var (a, b, c) = (Copy(x), Copy(weightIO), Allocate(rows * columns));
        var result = runner.Compare(
            () =>
            {
                // In training, where weights are packed at each call: OpenBLAS packs them too.
                using var tape = engine.BeginTape(training: true);
                tape.Linear(x, weightIO);
            },
            () => blas.Multiply(rows, columns, depth, (float*)a, (float*)b, (float*)c),
            inverted: true);
        Check(engine, x, weightIO, (float*)c);
        NativeMemory.AlignedFree((void*)a);
        NativeMemory.AlignedFree((void*)b);
        NativeMemory.AlignedFree((void*)c);
        return new Figure(
            Id, $"SGEMM {rows}×{columns}×{depth} / OpenBLAS, GFLOP/s", threads, result.Ratio, result.Spread, new Bound(0.95, IsLower: true))
        {
            Seconds = result.First,
            ReferenceSeconds = result.Second,
            Work = new Work(2.0 * rows * columns * depth, 4.0 * (rows * depth + depth * columns + rows * columns)),
        };
    }

    // Both sides must have computed the same product.
    private static void Check(ManagedEngine engine, Tensor x, Tensor weightIO, float* c)
    {
        using var tape = engine.BeginTape(training: false);
        var ours = tape.Linear(x, weightIO).ToArray();
        for (var i = 0; i < ours.Length; i++)
        {
            if (Math.Abs(ours[i] - c[i]) > 1e-2)
                throw new InvalidOperationException($"Element {i} is {ours[i]} here and {c[i]} in OpenBLAS.");
        }
    }

    private static nint Copy(Tensor tensor)
    {
        var memory = Allocate(tensor.Length);
        tensor.CopyTo(new Span<float>((void*)memory, tensor.Length));
        return memory;
    }

    private static nint Allocate(int length) => (nint)NativeMemory.AlignedAlloc((nuint)length * sizeof(float), 64);
}
