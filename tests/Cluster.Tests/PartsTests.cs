using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.ML.Moe.Cluster;
using Microsoft.ML.Moe.Tests.Features;
using Microsoft.ML.Moe.Tests.Sweeps;
using Orleans;

namespace Microsoft.ML.Moe.Tests.Cluster;

/// <summary>Folds and shards, on two silos within this process.</summary>
public sealed class PartsTests : IDisposable
{
    private const int Seed = 6;
    private readonly TemporaryFolder _folder = new();
    private readonly MLContext _ml = new(Seed);
    private readonly List<IHost> _hosts = [];

    private IGrainFactory Client => _hosts[0].Services.GetRequiredService<IGrainFactory>();

    public void Dispose()
    {
        Silos.Stop(_hosts);
        _folder.Dispose();
    }

    [Fact]
    public async Task Folds_are_what_they_are_on_one_machine()
    {
        await StartAsync(sweeps => sweeps.AddCrossValidation("prices", ml => TinySweeps.Table(ml), Sweep, folds: 3));
        var folds = await Client.CrossValidateAsync("prices");
        var split = _ml.Data.CrossValidationSplit(TinySweeps.Table(_ml), 3, seed: Seed);
        Assert.Equal(3, folds.Count);
        foreach (var fold in folds)
        {
            var options = new MoeRegressionTrainer.Options
            {
                LabelColumnName = "Price", Width = 16, ExpertWidth = 16, Members = 2, MaxEpochs = 9, BatchSize = 16, Seed = Seed,
            };
            using var model = _ml.Regression.Trainers.MoeRegressor(options).Fit(split[fold.Number].TrainSet);
            var metrics = _ml.Regression.Evaluate(model.Transform(split[fold.Number].TestSet), "Price");
            Assert.Equal(metrics.RootMeanSquaredError, fold.Loss!.Value, 1e-5);
            Assert.Equal(metrics.MeanAbsoluteError, fold.Metrics["MeanAbsoluteError"], 1e-5);
            Assert.Equal(SweepVerdict.Completed, fold.Verdict);
        }

        // once more, from the journal
        Assert.Equal(folds.Select(fold => fold.Loss), (await Client.CrossValidateAsync("prices")).Select(fold => fold.Loss));
    }

    [Fact]
    public async Task A_fold_that_fails_is_told()
    {
        await StartAsync(sweeps => sweeps.AddCrossValidation("prices", ml => TinySweeps.Table(ml), ml => TinySweeps.Prices(ml, Kept, made =>
        {
            // the first is made to ask for the shape of its output, and has no seed yet
            if (made.Seed is not null)
                throw new TimeZoneNotFoundException("It is late.");
        })));
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => Client.CrossValidateAsync("prices"));
        Assert.Contains("It is late.", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(200)] // more than there are rows
    public async Task Shards_together_are_the_whole_table_scored(int shards)
    {
        var table = TinySweeps.Table(_ml);
        var options = FeatureTables.Tiny<MoeRegressionTrainer.Options>(o => o.LabelColumnName = "Price");
        using var model = _ml.Regression.Trainers.MoeRegressor(options).Fit(table);
        _ml.Model.Save(model, table.Schema, _folder["model.zip"]);
        await StartAsync(sweeps => sweeps.AddScoring(
            "prices", ml => TinySweeps.Table(ml), _folder["model.zip"], _folder["scoring.jsonl"], shards));

        var files = await Client.ScoreAsync("prices");

        Assert.Equal(shards, files.Count);
        Assert.Equal(
            FeatureTables.Scores(model.Transform(table)), files.SelectMany(file => FeatureTables.Scores(_ml.Data.LoadFromBinary(file))));
        Assert.Equal(shards + 1, Directory.GetFiles(_folder["scoring.jsonl.files"]).Length); // and the lock
    }

    [Fact]
    public void Numbers_of_parts_and_names_are_checked()
    {
        var sweeps = new MoeSweepCollection(new ServiceCollection());
        Assert.Throws<ArgumentOutOfRangeException>(() => sweeps.AddCrossValidation("a", ml => TinySweeps.Table(ml), Sweep, folds: 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => sweeps.AddScoring("a", ml => TinySweeps.Table(ml), "model.zip", "a.jsonl", shards: 0));
        Assert.Throws<ArgumentException>(() => sweeps.Add(" ", ml => TinySweeps.Table(ml), Sweep));
        sweeps.Add("a", ml => TinySweeps.Table(ml), Sweep);
        var twice = Assert.Throws<ArgumentException>(() => sweeps.Add("a", ml => TinySweeps.Table(ml), Sweep));
        Assert.Contains("'a'", twice.Message, StringComparison.Ordinal);
    }

    private SweepEstimator<MoeRegressionTrainer.Options> Sweep(MLContext ml) => TinySweeps.Prices(ml, Kept);

    private void Kept(SweepOptions options) => (options.Seed, options.JournalFile) = (Seed, _folder["folds.jsonl"]);

    private async Task StartAsync(Action<MoeSweepCollection> add)
    {
        var primary = Silos.FreePort();
        foreach (var port in new[] { primary, Silos.FreePort() })
        {
            var host = Silos.Build(primary, port, add, options => options.PollInterval = TimeSpan.FromMilliseconds(20));
            _hosts.Add(host);
            await host.StartAsync();
        }
    }
}
