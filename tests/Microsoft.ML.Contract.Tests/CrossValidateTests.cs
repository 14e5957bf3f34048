using Microsoft.ML.Data;

namespace Microsoft.ML.Contract.Tests;

public sealed class CrossValidateTests
{
    private readonly MLContext _ml = new(1);

    [Fact]
    public void EachFoldIsFittedAndScoredOnTheRestOfTheRows()
    {
        var (data, estimator, fitted) = Task();
        var results = _ml.MulticlassClassification.CrossValidate(data, estimator, numberOfFolds: 4);
        Assert.Equal([0, 1, 2, 3], results.Select(r => r.Fold));
        Assert.Equal(4, fitted.Count);
        Assert.Equal(data.Values<float>("Number"), results.SelectMany(r => r.ScoredHoldOutSet.Values<float>("Number")).Order());
        foreach (var (result, train) in results.Zip(fitted))
        {
            Assert.Equal(data.Values<float>("Number"), train.Concat(result.ScoredHoldOutSet.Values<float>("Number")).Order());
            Assert.Equal(1, result.Metrics.MicroAccuracy);
            Assert.Equal(
                result.ScoredHoldOutSet.Values<float>("Number").Length, result.Metrics.ConfusionMatrix.Counts.Sum(row => row.Sum()));
            Assert.NotNull(result.Model);
        }
    }

    [Fact]
    public void TheSeedFixesTheFolds()
    {
        var (data, estimator, _) = Task();
        float[] First(int? seed) =>
            _ml.MulticlassClassification.CrossValidate(data, estimator, 3, seed: seed)[0].ScoredHoldOutSet.Values<float>("Number");
        Assert.Equal(First(4), First(4));
        Assert.NotEqual(First(4), First(5));
        Assert.Equal(First(1), First(null)); // the context's seed
    }

    [Fact]
    public void RowsOfOneSamplingKeyShareAFold()
    {
        var (data, estimator, _) = Task();
        var results = _ml.MulticlassClassification.CrossValidate(data, estimator, 3, samplingKeyColumnName: "Group");
        var groups = results.Select(r => r.ScoredHoldOutSet.Values<string>("Group").Distinct().ToArray()).ToArray();
        Assert.Equal(groups.Sum(g => g.Length), groups.SelectMany(g => g).Distinct().Count());
        Assert.Equal(20, groups.Sum(g => g.Length));
    }

    [Fact]
    public void OneFoldIsAnError()
    {
        var (data, estimator, _) = Task();
        Assert.Throws<ArgumentOutOfRangeException>(() => _ml.MulticlassClassification.CrossValidate(data, estimator, 1));
        Assert.Throws<ArgumentNullException>(() => _ml.MulticlassClassification.CrossValidate(data, null));
    }

    private (IDataView Data, IEstimator<ITransformer> Estimator, List<float[]> Fitted) Task()
    {
        var data = _ml.Data.LoadFromEnumerable(Enumerable.Range(0, 200).Select(i => new Scored
        {
            Number = i, Label = (uint)(i % 2), Raw = i % 2 == 0 ? [0.9f, 0.1f] : [0.1f, 0.9f], Group = $"g{i % 20}",
        }).ToArray());
        var fitted = new List<float[]>();
        var estimator = new Spy(fitted).Append(_ml.Transforms.CopyColumns("Score", "Raw"))
            .Append(_ml.Transforms.CopyColumns("PredictedLabel", "Label"));
        return (data, estimator, fitted);
    }

    /// <summary>Learns nothing, and notes what it was given.</summary>
    private sealed class Spy(List<float[]> fitted) : IEstimator<ITransformer>
    {
        public ITransformer Fit(IDataView input)
        {
            fitted.Add(input.Values<float>("Number"));
            return new TransformerChain<ITransformer>();
        }

        public SchemaShape GetOutputSchema(SchemaShape inputSchema) => inputSchema;
    }

    private sealed class Scored
    {
        public float Number { get; set; }

        [KeyType(2)]
        public uint Label { get; set; }

        [VectorType(2)]
        public float[] Raw { get; set; }

        public string Group { get; set; }
    }
}
