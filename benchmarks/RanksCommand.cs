using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Mpi;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Benchmarks;

/// <summary>
/// <c>ranks</c>: training steps of a text classifier on ranks of one thread each, which share one machine, against one process with as many threads.
/// Both are started in turn. A side's time is that which a tenth of its steps take at most, since other work on the machine can only lengthen steps; the
/// ratio is the median over the rounds.
/// </summary>
internal sealed class RanksCommand : System.CommandLine.Command
{
    private const int Classes = 10;
    private const int Words = 3000;
    private const int WarmUpSteps = 80;
    private const int Steps = 160;

    private static readonly Option<string> MpiRun = new("--mpirun")
    {
        Description = "The mpirun that starts the ranks.", HelpName = "COMMAND", DefaultValueFactory = _ => "mpirun.mpich",
    };

    private static readonly Option<int> Ranks = new("--ranks") { HelpName = "N", DefaultValueFactory = _ => 2 };
    private static readonly Option<int> Width = new("--width") { Description = "Width of the encoder.", DefaultValueFactory = _ => 128 };
    private static readonly Option<int> Batch = new("--batch") { Description = "Texts of a step.", DefaultValueFactory = _ => 64 };
    private static readonly Option<int> Shards = new("--shards") { Description = "Parts of a batch on the side of the ranks.", DefaultValueFactory = _ => 8 };
    private static readonly Option<int> Rounds = new("--rounds") { Description = "Pairs of trainings.", DefaultValueFactory = _ => 9 };
    private static readonly Option<int> Part = new("--part")
    {
        Description = "Train once, on so many threads, and write a step's milliseconds.", Hidden = true,
    };

    public RanksCommand()
        : base("ranks", "Training on MPI ranks of one thread each against one process with as many threads.")
    {
        foreach (var option in (Option[])[MpiRun, Ranks, Width, Batch, Shards, Rounds, Part])
            Options.Add(option);
        SetAction(result =>
        {
            var (width, batch, shards) = (result.GetValue(Width), result.GetValue(Batch), result.GetValue(Shards));
            if (result.GetValue(Part) is var threads and > 0)
                Train(width, batch, shards, threads);
            else
                Compare(result.GetValue(MpiRun)!, result.GetValue(Ranks), [$"--width={width}", $"--batch={batch}"], shards, result.GetValue(Rounds));
        });
    }

    private static void Compare(string mpirun, int ranks, string[] sizes, int shards, int rounds)
    {
        var pairs = new List<(double Shared, double Alone)>();
        for (var round = 0; round < rounds; round++)
        {
            double Shared() => Run(mpirun, ["-n", $"{ranks}"], [.. sizes, $"--shards={shards}", "--part=1"]);
            double Alone() => Run(null, [], [.. sizes, "--shards=0", $"--part={ranks}"]);
            var first = round % 2 == 0 ? Shared() : Alone();
            var second = round % 2 == 0 ? Alone() : Shared();
            pairs.Add(round % 2 == 0 ? (first, second) : (second, first));
            var (shared, alone) = pairs[^1];
            Tell($"round {round + 1}: {ranks} ranks {shared:0.00} ms, one process {alone:0.00} ms, speed {alone / shared:0.000}, load {LoadOf()}");
        }

        var result = Measurement.PairedResult.Of(pairs, inverted: true);
        Tell($"{string.Join(' ', sizes)} --shards={shards}: speed of {ranks} ranks over one process {result.Ratio:0.000}, spread {result.Spread:0.000}");
    }

    private static double Run(string? launcher, string[] launcherArguments, string[] arguments)
    {
        var own = OwnProgram.StartInfo(["ranks", .. arguments])!;
        var start = launcher is null ? own : new ProcessStartInfo(launcher, [.. launcherArguments, own.FileName, .. own.ArgumentList]);
        start.RedirectStandardOutput = true;
        // Open MPI gives its ranks a terminal, which .NET would send signs to begin with.
        start.Environment["TERM"] = "dumb";
        using var process = Process.Start(start) ?? throw new InvalidOperationException($"'{start.FileName}' did not start.");
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? double.Parse(output.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1], CultureInfo.InvariantCulture)
            : throw new InvalidOperationException($"'{start.FileName}' ended with code {process.ExitCode}.");
    }

    /// <summary>Trains; the first rank writes how long its fast steps take.</summary>
    private static void Train(int width, int batch, int shards, int threads)
    {
        using var ranks = shards == 0 ? null : MpiCommunicator.Start();
        using var engine = new ManagedEngine(threads);
        var config = new TextClassifierConfig
        {
            LinearBranch = false,
            Training = new TrainingConfig
            {
                Seed = 1, BatchSize = batch, ValidationShare = 0f, MaxEpochs = (WarmUpSteps + Steps) / 20,
                DataParallel = ranks is null ? null : new DataParallel(ranks, shards),
            },
        };
        config = config with { Encoder = config.Encoder with { Width = width, ExpertWidth = 2 * width } };
        var trainer = new TextClassifierTrainer(config, Classes, engine);
        var random = new Random(1);
        var rows = Enumerable.Range(0, 20 * batch).Select(i => new Example<EncodedText>(trainer.Input.Encode(Text(random)), i % Classes)).ToList();
        var steps = new StepTimes();
        trainer.Train(rows, observer: steps);
        if (ranks is null or { Rank: 0 })
            Tell($"{steps.FastestTenth():R}");
    }

    // Small word numbers are frequent, as in language.
    private static string Text(Random random) => string.Join(
        ' ', Enumerable.Range(0, random.Next(8, 25)).Select(_ => $"w{(int)(Words * Math.Pow(random.NextDouble(), 2))}"));

    private static string LoadOf() => File.Exists("/proc/loadavg") ? File.ReadAllText("/proc/loadavg").Split(' ')[0] : "unknown";

    private static void Tell(FormattableString line) => Console.WriteLine(line.ToString(CultureInfo.InvariantCulture));

    /// <summary>Times from step to step within an epoch.</summary>
    private sealed class StepTimes : ITrainingObserver
    {
        private readonly List<double> _milliseconds = [];
        private readonly Stopwatch _watch = new();
        private int _steps;

        public void OnStep(int epoch, int step, int steps, double loss)
        {
            if (step > 1 && ++_steps > WarmUpSteps)
                _milliseconds.Add(_watch.Elapsed.TotalMilliseconds);
            _watch.Restart();
        }

        public void OnEpoch(EpochReport report)
        {
        }

        public void OnMessage(string message) => Console.Error.WriteLine(message);

        public double FastestTenth() => _milliseconds.Order().ElementAt(_milliseconds.Count / 10);
    }
}
