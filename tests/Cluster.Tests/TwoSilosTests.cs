using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.ML.Moe.Cluster;
using Microsoft.ML.Moe.Sweeps.Journal;
using Microsoft.ML.Moe.Tests.Features;
using Microsoft.ML.Moe.Tests.Sweeps;
using Orleans;

namespace Microsoft.ML.Moe.Tests.Cluster;

/// <summary>Sweeps on two silos within this process.</summary>
public sealed class TwoSilosTests : IDisposable
{
    private const int Trials = 12;
    private readonly TemporaryFolder _folder = new();
    private readonly List<IHost> _hosts = [];
    private readonly int _primary = Silos.FreePort();

    private string Journal => _folder["sweep.jsonl"];

    public void Dispose()
    {
        Silos.Stop(_hosts);
        _folder.Dispose();
    }

    [Fact]
    public async Task Two_silos_find_what_one_machine_finds()
    {
        // in each silo the first training waits until the other has one, so that both take part
        using var both = new CountdownEvent(2);
        await StartAsync(TinyTable, made: Meet(both));
        await StartAsync(TinyTable, made: Meet(both));
        var seen = new ConcurrentQueue<SweepResult>();

        var result = await Client.SweepAsync("prices", new Progress(seen.Enqueue));

        var ml = new MLContext(seed: 6);
        var data = TinySweeps.Table(ml);
        var alone = TinySweeps.Prices(ml, Options);
        var model = alone.Fit(data);
        Assert.Equal(TinySweeps.Lines(alone.Result!), TinySweeps.Lines(result));
        Assert.Equal(_folder["sweep.zip"], result.ModelFile);
        Assert.Equal(FeatureTables.Scores(model.Transform(data)), FeatureTables.Scores(ml.Model.Load(result.ModelFile, out _).Transform(data)));

        var lines = File.ReadAllLines(Journal).Select(line => JournalLine.Parse(System.Text.Encoding.UTF8.GetBytes(line))).ToArray();
        Assert.Equal(2, lines.OfType<LeaseLine>().Select(lease => lease.Worker).Distinct().Count());
        Assert.Equal(Trials, lines.OfType<EndLine>().Count());
        Assert.Equal(Trials, lines.OfType<BeginLine>().Count());
        Assert.Equal(Trials, seen.Last().Trials.Count);

        // what has ended is not trained again
        Assert.Equal(TinySweeps.Lines(result), TinySweeps.Lines(await Client.SweepAsync("prices")));
        Assert.Equal(lines.Length, File.ReadAllLines(Journal).Length);
    }

    [Fact]
    public async Task A_worker_with_another_table_takes_no_part_and_says_so()
    {
        var log = new LogLines();
        await StartAsync(TinyTable, configure: options => options.Workers = 0, log: log);
        var sweep = Client.SweepAsync("prices");
        await log.FirstAsync("is coordinated here");
        // the worker says so before it tells the coordinator, which may be on its way from one silo to another
        await StartAsync(ml => TinySweeps.Table(ml, 130), log: log);
        var refusal = await log.FirstAsync("takes no part");
        Assert.Contains("its table is 130 rows", refusal, StringComparison.Ordinal);
        Assert.Contains("not 120 rows", refusal, StringComparison.Ordinal);
        Assert.False(sweep.IsCompleted);

        // and one with the right table does it all
        await StartAsync(TinyTable);
        Assert.Equal(Trials, (await sweep).Trials.Count);
    }

    [Fact]
    public async Task A_silo_that_is_told_to_end_gives_its_trial_back()
    {
        // so long that the test would fail if anyone waited for it
        static void Long(MoeClusterOptions options) => options.LeaseDuration = TimeSpan.FromHours(5);
        await StartAsync(TinyTable, options => (options.Workers, options.LeaseDuration) = (0, TimeSpan.FromHours(5)));
        using var trained = new ManualResetEventSlim();
        await StartAsync(TinyTable, Long, made: made => made.EpochCompleted += _ =>
        {
            trained.Set();
            made.StopToken.WaitHandle.WaitOne();
        });
        var sweep = Client.SweepAsync("prices");
        Assert.True(await Task.Run(() => trained.Wait(TimeSpan.FromMinutes(5))));
        await _hosts[1].StopAsync();

        await StartAsync(TinyTable, Long);
        var result = await sweep.WaitAsync(TimeSpan.FromMinutes(5));
        var ml = new MLContext(seed: 6);
        var alone = TinySweeps.Prices(ml, Options);
        alone.Fit(TinySweeps.Table(ml));
        Assert.Equal(TinySweeps.Lines(alone.Result!), TinySweeps.Lines(result));
        // it went on after the epoch that was trained
        Assert.Single(File.ReadAllLines(Journal), line => line.StartsWith("{\"kind\":\"begin\",\"trial\":0,", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_nobody_can_do_is_told_to_who_waits()
    {
        await StartAsync(TinyTable);
        var unknown = await Assert.ThrowsAsync<InvalidOperationException>(() => Client.SweepAsync("cars"));
        Assert.Contains("no sweep 'cars'", unknown.Message, StringComparison.Ordinal);
        File.WriteAllText(Journal, "nonsense\n");
        var damaged = await Assert.ThrowsAsync<InvalidOperationException>(() => Client.SweepAsync("prices"));
        Assert.Contains("line 1", damaged.Message, StringComparison.Ordinal);
    }

    private IGrainFactory Client => _hosts[0].Services.GetRequiredService<IGrainFactory>();

    private static IDataView TinyTable(MLContext ml) => TinySweeps.Table(ml);

    private static Action<MoeRegressionTrainer.Options> Meet(CountdownEvent both)
    {
        // the first is made to ask for the shape of its output
        var made = 0;
        return _ =>
        {
            if (Interlocked.Increment(ref made) != 2)
                return;
            both.Signal();
            Assert.True(both.Wait(TimeSpan.FromMinutes(5)));
        };
    }

    private void Options(SweepOptions options) =>
        (options.MaxTrials, options.EnsembleSize, options.ConfirmWinner, options.Seed) = (Trials, 2, true, 6);

    private void Kept(SweepOptions options)
    {
        Options(options);
        options.JournalFile = Journal;
    }

    private async Task StartAsync(
        Func<MLContext, IDataView> table,
        Action<MoeClusterOptions>? configure = null,
        ILoggerProvider? log = null,
        Action<MoeRegressionTrainer.Options>? made = null)
    {
        var host = Silos.Build(
            _primary,
            _hosts.Count == 0 ? _primary : Silos.FreePort(),
            sweeps => sweeps.Add("prices", table, ml => TinySweeps.Prices(ml, Kept, made)),
            options =>
            {
                options.PollInterval = TimeSpan.FromMilliseconds(20);
                configure?.Invoke(options);
            },
            log);
        _hosts.Add(host);
        await host.StartAsync();
    }

    private sealed class Progress(Action<SweepResult> report) : IProgress<SweepResult>
    {
        public void Report(SweepResult value) => report(value);
    }
}
