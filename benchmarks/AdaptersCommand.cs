using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Benchmarks.References;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Benchmarks;

/// <summary>
/// <c>adapters</c>: writes a model of OLMoE-1B-7B's shape, with fewer experts, with random weights in bfloat16 to the folder of temporary files,
/// trains low-rank adapters beside all its linear layers, experts too, and tells how long a step takes and how much memory is resident. The
/// files go afterwards.
/// </summary>
internal sealed class AdaptersCommand : System.CommandLine.Command
{
    private static readonly Option<int> Layers = new("--layers") { Description = "Blocks, 16 as published.", DefaultValueFactory = _ => 16 };
    private static readonly Option<int> Experts = new("--experts") { Description = "Experts of a block; 64 are published.", DefaultValueFactory = _ => 16 };
    private static readonly Option<int> Rank = new("--rank") { Description = "Rank of the adapters.", DefaultValueFactory = _ => 8 };
    private static readonly Option<int> Threads = new("--threads") { DefaultValueFactory = _ => Environment.ProcessorCount };
    private static readonly Option<int> Steps = new("--steps") { DefaultValueFactory = _ => 3 };
    private static readonly Option<int> Rows = new("--rows") { Description = "Rows of a step, of which one is computed at a time.", DefaultValueFactory = _ => 2 };
    private static readonly Option<int> Length = new("--length") { Description = "Tokens of a row.", DefaultValueFactory = _ => 128 };

    public AdaptersCommand()
        : base("adapters", "Trains adapters beside a model of OLMoE-1B-7B's shape with 16 experts, 4.2 GB in bfloat16, that is written to the temporary files first.")
    {
        foreach (var option in (Option[])[Layers, Experts, Rank, Threads, Steps, Rows, Length])
            Options.Add(option);
        SetAction(result =>
        {
            using var checkpoint = RandomCheckpoint.Olmoe(result.GetValue(Layers), result.GetValue(Experts));
            using var engine = new ManagedEngine(result.GetValue(Threads));
            Run(checkpoint, engine, result.GetValue(Rank), result.GetValue(Steps), result.GetValue(Rows), result.GetValue(Length));
        });
    }

    private static void Run(RandomCheckpoint checkpoint, Engine engine, int rank, int steps, int rows, int length)
    {
        Tell($"{checkpoint.WeightBytes / 1e9:F2} GB of weights written");
        GC.Collect();
        var model = checkpoint.Load(engine, WeightPrecision.AsStored);
        Tell($"loaded: {ResidentMemory.Text()}");
        var config = new GeneratorTrainingConfig
        {
            Adaptation = new LowRankAdaptation { Rank = rank, Alpha = 2 * rank },
            // a row at a time: what it takes to go backward is as large as what is computed at once
            Training = new GeneratorTrainingConfig().Training with
            {
                LearningRate = 2e-4f,
                BatchSize = rows,
                AccumulationSteps = rows,
                MaxEpochs = 1,
            },
        };
        var random = new Random(1);
        var trained = new GeneratorTrainer(config, model).Train(
            [.. Enumerable.Range(0, steps * rows).Select(_ => new Example<EncodedText>(Row(random, length), 0f))], observer: new StepTimes());
        Tell($"{trained.TrainedParameterCount:N0} of {trained.ParameterCount:N0} values trained, {rows * length} tokens a step");
        Tell($"{ResidentMemory.Text()}, at most {ResidentMemory.Peak:F2} GB");
    }

    private static EncodedText Row(Random random, int length) =>
        new(new TokenIds([.. Enumerable.Range(0, length).Select(_ => random.Next(4, 50000))]), 0, isEmpty: false);

    private static void Tell(FormattableString line) => Console.WriteLine(line.ToString(CultureInfo.InvariantCulture));

    private sealed class StepTimes : ITrainingObserver
    {
        private readonly Stopwatch _watch = Stopwatch.StartNew();

        public void OnEpoch(EpochReport report)
        {
        }

        public void OnStep(int epoch, int step, int stepsOfEpoch, double loss)
        {
            Tell($"step {step}: {_watch.Elapsed.TotalSeconds:F1} s, loss {loss:F3}, {ResidentMemory.Text()}");
            _watch.Restart();
        }
    }
}
