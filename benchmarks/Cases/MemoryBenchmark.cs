using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;
using System.Diagnostics;
using System.Runtime;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>
/// C9: resident memory at the end over that after the first tenth, for many fits of a tiny model and for many predictions. Garbage
/// is collected before each reading, so that what is seen is what is kept. Before, each is repeated until the runtime has compiled, and
/// compiled better, what it uses, and memory has been read a few times: machine code takes more of it than the tiny model, and the first
/// collection of this kind leaves less than those that follow.
/// </summary>
internal sealed class MemoryBenchmark : IBenchmark
{
    private const int Fits = 200;
    private const int Predictions = 100_000;
    private const int FewestWarmUps = 5;
    private const int MostWarmUps = 40;
    private const int FewMethods = 10;
    private static readonly string[] Words = ["red", "green", "blue", "stop", "go", "left", "right", "home"];
    private static readonly Bound AtMost = new(1.01);

    public string Id => "C9";

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads)
    {
        var ofFits = Growth(Fits, () => Fit(threads));
        yield return new Figure(Id, $"{Fits} fits: memory at the end / after a tenth", threads, ofFits, 0, AtMost);
        using var engine = new ManagedEngine(threads);
        var classifier = Train(engine);
        var row = new[] { ((TextInput)classifier.Input).Encode("go left, then home") };
        var probabilities = new float[classifier.Outputs];
        var growth = Growth(Predictions, () => classifier.Score(row, probabilities));
        yield return new Figure(Id, $"{Predictions} predictions: memory at the end / after a tenth", threads, growth, 0, AtMost);
    }

    private static double Growth(int times, Action action)
    {
        WarmUp(times, action);
        var first = 0L;
        for (var i = 0; i < times; i++)
        {
            if (i == times / 10)
                first = ResidentBytes();
            action();
        }

        return (double)ResidentBytes() / first;
    }

    private static void WarmUp(int times, Action action)
    {
        var compiled = 0L;
        for (var i = 0; i < FewestWarmUps || (i < MostWarmUps && JitInfo.GetCompiledMethodCount() > compiled + FewMethods); i++)
        {
            compiled = JitInfo.GetCompiledMethodCount();
            for (var j = 0; j < times; j++)
                action();
            ResidentBytes();
        }
    }

    private static void Fit(int threads)
    {
        using var engine = new ManagedEngine(threads);
        Train(engine);
    }

    private static Model<EncodedText> Train(ManagedEngine engine)
    {
        var config = new TextClassifierConfig
        {
            Input = new TextInputConfig { HashBits = 8 },
            Encoder = new EncoderConfig { Width = 16, Heads = 2, Layers = 1, ExpertWidth = 16 },
            Training = new TrainingConfig { MaxEpochs = 2, Seed = 1 },
        };
        var trainer = new TextClassifierTrainer(config, Words.Length, engine);
        var rows = Enumerable.Range(0, 64).Select(i =>
            new Example<EncodedText>(trainer.Input.Encode($"{Words[i % Words.Length]} {Words[i * 5 % 7]} number {i}"), i % Words.Length));
        return trainer.Train([.. rows]);
    }

    private static long ResidentBytes()
    {
        for (var i = 0; i < 3; i++)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
        }

        using var process = Process.GetCurrentProcess();
        return process.WorkingSet64;
    }
}
