using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Microsoft.ML.Moe.Benchmarks.Cases;
using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Benchmarks.References;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Benchmarks;

/// <summary>
/// <c>large</c>: writes a model of OLMoE-1B-7B's shape, or of Switch-Base-8's, with random weights in bfloat16, 14 GB, to the folder of temporary
/// files, loads it, reads a prompt and decodes, and tells how long each takes and how much memory is resident. The files go afterwards.
/// </summary>
internal sealed class LargeModelCommand : System.CommandLine.Command
{
    private const int PromptLength = 512;
    private static readonly Option<int> Layers = new("--layers") { Description = "Blocks, 16 as published.", DefaultValueFactory = _ => 16 };
    private static readonly Option<int> Threads = new("--threads") { DefaultValueFactory = _ => Environment.ProcessorCount };
    private static readonly Option<int> Tokens = new("--tokens") { Description = "Tokens to decode.", DefaultValueFactory = _ => 32 };

    private static readonly Option<WeightPrecision> Precision = new("--weights")
    {
        Description = "What the weights are in memory.",
        DefaultValueFactory = _ => WeightPrecision.AsStored,
    };

    private static readonly Option<bool> IsSwitch = new("--switch") { Description = "Switch-Base-8's shape, 1.2 GB, in place of OLMoE-1B-7B's." };

    public LargeModelCommand()
        : base("large", "Loads and runs a model of OLMoE-1B-7B's shape, 14 GB in bfloat16, that is written to the temporary files first.")
    {
        foreach (var option in (Option[])[IsSwitch, Layers, Threads, Tokens, Precision])
            Options.Add(option);
        SetAction(result => Run(
            result.GetValue(IsSwitch),
            result.GetValue(Layers), result.GetValue(Threads), result.GetValue(Tokens), result.GetValue(Precision)));
    }

    private static void Run(bool isSwitch, int layers, int threads, int tokens, WeightPrecision precision)
    {
        var watch = Stopwatch.StartNew();
        using var checkpoint = isSwitch ? RandomCheckpoint.Switch() : RandomCheckpoint.Olmoe(layers);
        Tell($"{checkpoint.WeightBytes / 1e9:F2} GB of weights written in {Lap():F1} s");
        GC.Collect();
        Lap();

        using var engine = new ManagedEngine(threads);
        var model = checkpoint.Load(engine, precision);
        Tell($"loaded as {precision} in {Lap():F2} s: {ResidentMemory.Text()}");

        var writer = TextGenerator.View(model);
        var scores = new float[writer.VocabularySize];
        using (var first = writer.Begin([PublishedMixtures.Ids(1, writer.VocabularySize)], copies: 1, capacity: tokens + 1))
        {
            first.Next([], scores);
            Tell($"first token in {Lap():F2} s: {ResidentMemory.Text()}");
            for (var token = 0; token < tokens; token++)
                first.Next([scores.AsSpan().IndexOf(scores.Max())], scores);
            var seconds = Lap() / tokens;
            var rate = PublishedMixtures.ActiveBytes(model) / seconds / 1e9;
            Tell($"{tokens} tokens decoded, {1e3 * seconds:F1} ms each, {rate:F1} GB of active weights a second: {ResidentMemory.Text()}");
        }

        for (var turn = 0; turn < 3; turn++)
        {
            Lap();
            using var prompt = writer.Begin([PublishedMixtures.Ids(PromptLength, writer.VocabularySize)], copies: 1, capacity: 1);
            prompt.Next([], scores);
            var seconds = Lap();
            var rate = 2 * PromptLength * PublishedMixtures.ActiveWeights(model) / seconds / 1e9;
            Tell($"prompt of {PromptLength} tokens read in {seconds:F2} s, {rate:F0} GFLOP/s: {ResidentMemory.Text()}");
        }

        Tell($"{ResidentMemory.Text()}, {Process.GetCurrentProcess().WorkingSet64 / (double)checkpoint.WeightBytes:F2} of the file");

        double Lap()
        {
            var seconds = watch.Elapsed.TotalSeconds;
            watch.Restart();
            return seconds;
        }
    }

    private static void Tell(FormattableString line) => Console.WriteLine(line.ToString(CultureInfo.InvariantCulture));
}
