using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>
/// Time after doubling a size, over the time before: of a MoE layer, and of a training step of the default text model. Linear growth is
/// 1 for E and 2 for all others.
/// </summary>
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

    private const int Rows = 64;
    private const int Words = 31;

    public string Id => "growth";

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads) =>
        MeasureLayer(runner, threads).Concat(MeasureTraining(runner, threads));

    private IEnumerable<Figure> MeasureLayer(PairedRunner runner, int threads)
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

    // A text is a word shorter than its sequence, which begins with a token of its own.
    private IEnumerable<Figure> MeasureTraining(PairedRunner runner, int threads)
    {
        using var before = Training(Rows, Words);
        foreach (var (name, rows, words) in new[] { ("batch", 2 * Rows, Words), ("sequence length", Rows, 2 * Words + 1) })
        {
            using var after = Training(rows, words);
            var result = runner.Compare(after.Steps.Take, before.Steps.Take);
            yield return new Figure(
                Id,
                $"training step of the default text model, {name} doubled from B{Rows} S{Words + 1}",
                threads,
                result.Ratio,
                result.Spread,
                null)
            {
                Seconds = result.First,
                ReferenceSeconds = result.Second,
            };
        }

        TextTraining Training(int rows, int words) => new(new ManagedEngine(threads), rows, words, words);
    }
}
