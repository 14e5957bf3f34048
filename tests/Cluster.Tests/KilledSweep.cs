using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.ML.Moe.Cluster;
using Microsoft.ML.Moe.Sweeps.Journal;
using Microsoft.ML.Moe.Tests.Features;
using Microsoft.ML.Moe.Tests.Sweeps;
using Orleans;
using Orleans.Configuration;
using Orleans.Hosting;

namespace Microsoft.ML.Moe.Tests.Cluster;

/// <summary>
/// A sweep on two silos, each a process, of which the one that coordinates is killed time and again, and replaced. It ends with what one
/// machine finds.
/// </summary>
internal static class KilledSweep
{
    /// <summary>Its name.</summary>
    public const string Sweep = "prices";

    private const int Seed = 6;
    private const int Trials = 16;
    private const string Trained = "trained";

    /// <summary>The cluster.</summary>
    public static void Name(ClusterOptions options) => (options.ClusterId, options.ServiceId) = ("moe", "moe");

    /// <summary>How silos take part.</summary>
    public static void Configure(MoeClusterOptions options) =>
        (options.LeaseDuration, options.PollInterval) = (TimeSpan.FromSeconds(6), TimeSpan.FromMilliseconds(100));

    /// <summary>The sweep as a silo runs it.</summary>
    public static SweepEstimator<MoeRegressionTrainer.Options> Define(MLContext ml, string folder) => TinySweeps.Prices(
        ml,
        options =>
        {
            Options(options);
            options.JournalFile = Path.Combine(folder, "sweep.jsonl");
        },
        made =>
        {
            // before the coordinator hears of an epoch, and after
            var trial = string.Create(CultureInfo.InvariantCulture, $"{made.Seed} {made.LearningRate} {made.Dropout} {made.Experts}");
            var report = made.EpochCompleted;
            made.EpochCompleted = epoch =>
            {
                File.AppendAllText(
                    Path.Combine(folder, $"{Trained}.{Environment.ProcessId}"),
                    string.Create(CultureInfo.InvariantCulture, $"{trial} {epoch.Epoch}\n"));
                SiloProcess.Tell();
                report?.Invoke(epoch);
                SiloProcess.Tell();
            };
        });

    /// <summary>Kills.</summary>
    /// <param name="kills">How often at most: when the sweep has ended there is nothing left to kill.</param>
    /// <param name="seed">After how many epochs.</param>
    public static async Task<KilledSweepReport> RunAsync(int kills, int seed)
    {
        // for a machine on which nothing goes on any more
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(10 + (5 * kills)));
        using var folder = new TemporaryFolder();
        using var redis = new RedisServer(folder.Path);
        var silos = new List<SiloProcess>();
        try
        {
            for (var silo = 0; silo < 2; silo++)
                silos.Add(SiloProcess.Start(redis.Port, folder.Path));
            using var client = new HostBuilder()
                .UseOrleansClient(own => own
                    .UseRedisClustering(options => SiloProcess.Connect(options.ConfigurationOptions = new(), redis.Port))
                    .Configure<ClusterOptions>(Name)
                    .UseConnectionRetryFilter((_, _) => Task.FromResult(true)))
                .Build();
            await client.StartAsync();
            var cluster = client.Services.GetRequiredService<IClusterClient>();
            var sweep = cluster.SweepAsync(Sweep, cancellationToken: limit.Token);
            var (random, killed, lost, clock) = (new Random(seed), 0, 0, System.Diagnostics.Stopwatch.StartNew());
            while (killed < kills && !sweep.IsCompleted)
            {
                // amid epochs, or when one has ended: before the coordinator has heard of it, or after
                for (var lines = random.Next(4, 12); lines > 0 && !sweep.IsCompleted; lines--)
                {
                    await Task.WhenAny(silos.Select(silo => silo.Told).Append(sweep));
                    foreach (var gone in silos.Where(silo => silo.Told.IsCompleted && !silo.Answer()).ToArray())
                    {
                        // on a machine that is too slow for it, the cluster may take a living silo for dead
                        lost++;
                        Replace(gone);
                    }
                }

                if (sweep.IsCompleted || await CoordinatorAsync() is not { } coordinator)
                    continue;
                killed++;
                if (random.Next(2) == 0 && coordinator.Told.IsCompleted)
                    coordinator.Answer();
                Replace(coordinator);
            }

            foreach (var silo in silos)
                silo.LetGo();
            var result = await sweep;
            return Report(folder, result, killed, lost, clock.Elapsed);

            void Replace(SiloProcess silo)
            {
                silo.Dispose();
                silos[silos.IndexOf(silo)] = SiloProcess.Start(redis.Port, folder.Path);
            }

            async Task<SiloProcess?> CoordinatorAsync()
            {
                try
                {
                    var status = await cluster.GetGrain<ISweepGrain>(Sweep).StatusAsync();
                    return silos.Find(silo => status.Coordinator.EndsWith($" {silo.Id}", StringComparison.Ordinal));
                }
                catch (Exception e) when (e is not OperationCanceledException)
                {
                    return null; // it is moving
                }
            }
        }
        finally
        {
            foreach (var silo in silos)
                silo.Dispose();
        }
    }

    private static KilledSweepReport Report(TemporaryFolder folder, SweepResult result, int kills, int lost, TimeSpan time)
    {
        var ml = new MLContext(seed: Seed);
        var data = TinySweeps.Table(ml);
        var alone = TinySweeps.Prices(ml, Options);
        var model = alone.Fit(data);
        var loaded = ml.Model.Load(result.ModelFile!, out _);
        var isSame = TinySweeps.Lines(alone.Result!).SequenceEqual(TinySweeps.Lines(result))
            && FeatureTables.Scores(model.Transform(data)).SequenceEqual(FeatureTables.Scores(loaded.Transform(data)));
        // the confirmation of the winner has another seed, and no checkpoint
        string[] epochs =
        [
            .. folder.Files.Where(name => name.StartsWith(Trained, StringComparison.Ordinal)).SelectMany(name => File.ReadAllLines(folder[name]))
                .Where(line => line.StartsWith($"{Seed} ", StringComparison.Ordinal)),
        ];
        var ends = File.ReadAllLines(folder["sweep.jsonl"]).Select(line => JournalLine.Parse(System.Text.Encoding.UTF8.GetBytes(line)))
            .OfType<EndLine>().GroupBy(end => end.Trial);
        return new KilledSweepReport(
            kills, lost, isSame, epochs.Distinct().Count(), epochs.Length - epochs.Distinct().Count(), ends.Max(end => end.Count()), time);
    }

    private static void Options(SweepOptions options) =>
        (options.MaxTrials, options.EnsembleSize, options.ConfirmWinner, options.Seed) = (Trials, 2, true, Seed);
}

/// <summary>What has come of the kills.</summary>
/// <param name="Kills">How many there were.</param>
/// <param name="Lost">Silos that ended by themselves.</param>
/// <param name="IsSame">Whether leaderboard and model are those of one machine.</param>
/// <param name="Epochs">Epochs of all trials.</param>
/// <param name="Repeated">Epochs that were trained again.</param>
/// <param name="MostEnds">How often the same trial was trained to its end, at most.</param>
/// <param name="Time">From the start to the result.</param>
internal sealed record KilledSweepReport(int Kills, int Lost, bool IsSame, int Epochs, int Repeated, int MostEnds, TimeSpan Time);
