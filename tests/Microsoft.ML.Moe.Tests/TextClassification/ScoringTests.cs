using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Tests.TextClassification;

/// <summary>Batched scoring of tables.</summary>
public sealed class ScoringTests : IDisposable
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly TransformerChain<MoeTextClassificationTransformer> _model;
    private readonly List<Row> _rows = Tables.Rows(1000, seed: 3);
    private readonly IDataView _scored;

    public ScoringTests()
    {
        _model = Models.Fit(_ml);
        _scored = _model.Transform(_ml.Data.LoadFromEnumerable(_rows));
    }

    public void Dispose() => _model.Dispose();

    [Fact]
    public void ScoresInBatches()
    {
        Assert.Equal(1000, Models.Read(_ml, _scored).Count);
        Assert.Equal(4, _model.LastTransformer.ScoringCalls); // 1000 rows, 256 at a time
    }

    [Fact]
    public void BatchesGiveTheScoresOfSingleRows()
    {
        using var engine = _ml.Model.CreatePredictionEngine<Row, Prediction>(
            _model, new PredictionEngineOptions { OwnsTransformer = false });
        var batched = Models.Read(_ml, _scored);
        foreach (var i in new[] { 0, 255, 256, 511, 999 })
        {
            var single = engine.Predict(_rows[i]);
            Assert.Equal(batched[i].PredictedLabel, single.PredictedLabel);
            Assert.Equal(batched[i].Score, single.Score); // to the last bit, whatever else is in the batch
        }
    }

    [Fact]
    public void NothingIsScoredWhenNoScoreIsWanted()
    {
        Assert.Equal(_rows.Select(r => r.Id), _scored.GetColumn<int>("Id"));
        Assert.Equal(0, _model.LastTransformer.ScoringCalls);
    }

    [Theory]
    [InlineData("Id", "Id")]
    [InlineData("Score", "Text")]
    [InlineData("PredictedLabel", "Text")]
    [InlineData("Id Score", "Text Id")]
    public void OnlyNeededColumnsAreRead(string wanted, string needed)
    {
        var mapper = ((ITransformer)_model.LastTransformer).GetRowToRowMapper(_ml.Data.LoadFromEnumerable(_rows).Schema);
        var columns = mapper.GetDependencies(wanted.Split(' ').Select(n => mapper.OutputSchema[n]));
        Assert.Equal(needed, string.Join(' ', columns.Select(c => c.Name)));
    }

    [Fact]
    public void SkippedRowsAreNotScored()
    {
        var last = Models.Read(_ml, _ml.Data.SkipRows(_scored, 900));
        Assert.Equal(Enumerable.Range(900, 100), last.Select(r => r.Id));
        Assert.InRange(_model.LastTransformer.ScoringCalls, 1, 2);
    }

    [Fact]
    public void RowCountAndShufflingAreTheInputs()
    {
        var input = _ml.Data.LoadFromEnumerable(_rows);
        var scored = _model.Transform(input);
        Assert.Equal(input.GetRowCount(), scored.GetRowCount());
        Assert.Equal(input.CanShuffle, scored.CanShuffle);
    }

    [Fact]
    public void ALongTextDoesNotHoldUpTheRest()
    {
        var rows = Tables.Rows(10);
        rows[4].Text = new string('x', 1 << 20) + " rain";
        rows[5].Text = string.Concat(Enumerable.Repeat("rain sun ", 1 << 17));
        var scores = Models.Score(_ml, _model, rows);
        Assert.Equal(10, scores.Count);
        Assert.All(scores, s => Assert.Equal(1f, s.Score.Sum(), 1e-5f));
    }

    [Fact]
    public void LongTextsAreReadAheadFewAtATime()
    {
        var rows = Tables.Rows(10);
        rows.ForEach(r => r.Text = new string('x', 1 << 20));
        Assert.Equal(10, Models.Score(_ml, _model, rows).Count);
        Assert.Equal(3, _model.LastTransformer.ScoringCalls); // four million characters at a time
    }

    [Fact]
    public void MissingAndEmptyTextsAreScored()
    {
        var rows = Tables.Rows(3);
        rows[0].Text = null;
        rows[1].Text = "";
        rows[2].Text = " \t ";
        var scores = Models.Score(_ml, _model, rows);
        Assert.Equal(scores[0].Score, scores[1].Score);
        Assert.All(scores, s => Assert.Equal(1f, s.Score.Sum(), 1e-5f));
    }
}
