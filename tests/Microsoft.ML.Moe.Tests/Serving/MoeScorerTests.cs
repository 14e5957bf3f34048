using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.ML.Moe.Serving;
using Microsoft.ML.Moe.Tests.ImageClassification;

namespace Microsoft.ML.Moe.Tests.Serving;

/// <summary>One model that many callers score with.</summary>
[Collection(nameof(MoeScorerTests))]
public sealed class MoeScorerTests : IDisposable
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task ManyCallersGetWhatTheModelGives()
    {
        var path = Text("model.zip");
        var rows = Tables.Rows(100);
        var options = new MoeScorerOptions<Row> { WarmUpRows = rows[..3], MaximumBatch = 8, RoutingInterval = 2 };
        await using var scorer = new MoeScorer<Row, Prediction>(path, options);

        var predictions = await Task.WhenAll(rows.Select(row => Task.Run(() => scorer.ScoreAsync(row))));

        Models.AssertSame(Direct(path, rows), predictions);
    }

    [Fact]
    public async Task RowsThatWaitTogetherAreScoredTogether()
    {
        var sizes = new ConcurrentQueue<int>();
        using var listener = Listen<int>("moe.batch.size", (size, _) => sizes.Enqueue(size));
        var options = new MoeScorerOptions<Row> { MaximumBatch = 4, MaximumDelay = TimeSpan.FromMinutes(1) };
        await using var scorer = new MoeScorer<Row, Prediction>(Text("model.zip"), options);

        // nothing is answered before the batch is full
        await Task.WhenAll(Tables.Rows(8).Select(row => scorer.ScoreAsync(row)));

        Assert.Equal([4, 4], sizes);
    }

    [Fact]
    public async Task ARowThatCannotBeScoredIsItsCallersAlone()
    {
        using var model = ImageModels.Fit(_ml);
        _ml.Model.Save(model, null, _folder["images.zip"]);
        var rows = ImageTables.Rows().Take(4).ToList();
        rows[2].Features = [.. rows[2].Features.Select(_ => float.NaN)];
        var options = new MoeScorerOptions<ImageRow> { MaximumBatch = 4, MaximumDelay = TimeSpan.FromMinutes(1) };
        await using var scorer = new MoeScorer<ImageRow, Prediction>(_folder["images.zip"], options);

        var answers = rows.ConvertAll(row => scorer.ScoreAsync(row));

        await Assert.ThrowsAsync<InvalidOperationException>(() => answers[2]);
        foreach (var place in new[] { 0, 1, 3 })
            Assert.Equal(3, (await answers[place]).Score.Length);
    }

    [Fact]
    public async Task AnotherFileTakesTheModelsPlace()
    {
        var (one, other) = (Text("one.zip"), Text("other.zip", epochs: 2));
        var rows = Tables.Rows(6);
        await using var scorer = new MoeScorer<Row, Prediction>(one, new() { MaximumDelay = TimeSpan.Zero });
        var before = scorer.LoadedAt;
        Models.AssertSame(Direct(one, rows), await ScoreAsync(scorer, rows));

        await scorer.SwapAsync(other);

        Models.AssertSame(Direct(other, rows), await ScoreAsync(scorer, rows));
        Assert.InRange(scorer.LoadedAt, before, DateTimeOffset.UtcNow);
        Assert.Null(scorer.Fault);

        await Assert.ThrowsAnyAsync<Exception>(() => scorer.SwapAsync(_folder.Write("broken.zip", "no model")));

        Assert.Contains("broken.zip", scorer.Fault, StringComparison.Ordinal);
        Models.AssertSame(Direct(other, rows), await ScoreAsync(scorer, rows));
    }

    [Fact]
    public async Task AModelThatCannotScoreTheWarmUpRowsDoesNotServe()
    {
        using var model = ImageModels.Fit(_ml);
        _ml.Model.Save(model, null, _folder["images.zip"]);
        await using var scorer = new MoeScorer<Row, Prediction>(Text("model.zip"), new() { WarmUpRows = Tables.Rows(1) });

        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => scorer.SwapAsync(_folder["images.zip"]));

        Assert.NotNull(await scorer.ScoreAsync(Tables.Rows(1)[0]));
    }

    [Fact]
    public async Task TheRoutingOfABatchIsMeasured()
    {
        var loads = new ConcurrentQueue<double>();
        using var listener = Listen<double>("moe.expert.load", (load, _) => loads.Enqueue(load));
        var scorer = new MoeScorer<Row, Prediction>(Text("model.zip"), new() { RoutingInterval = 1 });
        await scorer.ScoreAsync(Tables.Rows(1)[0]);
        await scorer.DisposeAsync();

        Assert.Equal(2, loads.Count);
        Assert.Equal(1, loads.Sum(), 1e-6);
    }

    [Fact]
    public async Task AScorerThatHasEndedSaysSo()
    {
        var scorer = new MoeScorer<Row, Prediction>(Text("model.zip"));
        var answer = scorer.ScoreAsync(Tables.Rows(1)[0]);
        await scorer.DisposeAsync();
        await scorer.DisposeAsync();

        Assert.NotNull(await answer);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => scorer.ScoreAsync(Tables.Rows(1)[0]));
    }

    [Fact]
    public async Task ACallerMayGiveUp()
    {
        var options = new MoeScorerOptions<Row> { MaximumBatch = 2, MaximumDelay = TimeSpan.FromMinutes(1) };
        await using var scorer = new MoeScorer<Row, Prediction>(Text("model.zip"), options);
        using var cancellation = new CancellationTokenSource();
        var answer = scorer.ScoreAsync(Tables.Rows(1)[0], cancellation.Token);

        await cancellation.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => answer);
        Assert.NotNull(await scorer.ScoreAsync(Tables.Rows(1)[0]));
    }

    [Fact]
    public void OptionsAreChecked()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new MoeScorerOptions<Row> { MaximumBatch = 0 });
        Assert.Throws<ArgumentOutOfRangeException>(() => new MoeScorerOptions<Row> { MaximumDelay = TimeSpan.FromSeconds(-1) });
        Assert.Throws<ArgumentException>(() => new MoeScorer<Row, Prediction>(""));
        Assert.ThrowsAny<IOException>(() => new MoeScorer<Row, Prediction>(_folder["nowhere.zip"]));
    }

    private string Text(string name, int epochs = 1)
    {
        using var model = Models.Fit(_ml, o => o.MaxEpochs = epochs);
        _ml.Model.Save(model.LastTransformer, null, _folder[name]);
        return _folder[name];
    }

    private List<Prediction> Direct(string path, IEnumerable<Row> rows)
    {
        var model = _ml.Model.Load(path, out _);
        using var loaded = (IDisposable)model;
        return Models.Score(_ml, model, rows);
    }

    private static async Task<Prediction[]> ScoreAsync(MoeScorer<Row, Prediction> scorer, IEnumerable<Row> rows) =>
        await Task.WhenAll(rows.Select(row => scorer.ScoreAsync(row)));

    private static MeterListener Listen<T>(string instrument, Action<T, Instrument> measured)
        where T : struct
    {
        var listener = new MeterListener
        {
            InstrumentPublished = (found, self) =>
            {
                if (found.Meter.Name == MoeScorerTelemetry.MeterName && found.Name == instrument)
                    self.EnableMeasurementEvents(found);
            },
        };
        listener.SetMeasurementEventCallback<T>((found, value, _, _) => measured(value, found));
        listener.Start();
        return listener;
    }
}
