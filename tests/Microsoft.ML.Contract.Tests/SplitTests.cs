using Microsoft.ML.Data;

namespace Microsoft.ML.Contract.Tests;

public sealed class SplitTests
{
    private readonly MLContext _ml = new(1);

    [Fact]
    public void SplitGivesEachRowToOneSide()
    {
        var data = _ml.Data.LoadFromEnumerable(Row.Table(1000));
        var split = _ml.Data.TrainTestSplit(data, 0.2);
        var (train, test) = (split.TrainSet.Values<float>("Number"), split.TestSet.Values<float>("Number"));
        Assert.Equal(data.Values<float>("Number"), train.Concat(test).Order());
        Assert.InRange(test.Length, 150, 250);
        Assert.Equal(train, split.TrainSet.Values<float>("Number"));
        Assert.Equal(data.Schema.Describe(), split.TrainSet.Schema.Describe());
        Assert.False(split.TrainSet.CanShuffle);
        Assert.Null(split.TrainSet.GetRowCount());
    }

    [Fact]
    public void SeedsChooseTheSameRowsAsTheRealOne()
    {
        var data = _ml.Data.LoadFromEnumerable(Row.Table(20));
        Assert.Equal([2f, 9, 10, 12, 13], _ml.Data.TrainTestSplit(data, 0.3, seed: 1).TestSet.Values<float>("Number"));
        Assert.Equal([3f, 16, 17, 19], _ml.Data.TrainTestSplit(data, 0.3, seed: 7).TestSet.Values<float>("Number"));
    }

    [Fact]
    public void TheContextsSeedServesWhereNoneIsGiven()
    {
        var data = _ml.Data.LoadFromEnumerable(Row.Table(100));
        float[] Test(int contextSeed, int? seed) =>
            new MLContext(contextSeed).Data.TrainTestSplit(data, 0.3, seed: seed).TestSet.Values<float>("Number");
        Assert.Equal(Test(5, null), Test(9, 5));
        Assert.NotEqual(Test(5, null), Test(9, null));
    }

    [Fact]
    public void RowsOfOneSamplingKeyStayTogether()
    {
        var data = _ml.Data.LoadFromEnumerable(Row.Table(300).Select(r => new Grouped { Group = $"g{r.Number % 30}", Number = r.Number }));
        var split = _ml.Data.TrainTestSplit(data, 0.3, samplingKeyColumnName: "Group");
        var (train, test) = (split.TrainSet.Values<string>("Group"), split.TestSet.Values<string>("Group"));
        Assert.NotEmpty(test);
        Assert.NotEmpty(train);
        Assert.Empty(train.Intersect(test));
        Assert.Equal(300, train.Length + test.Length);
        Assert.Equal(["g11", "g12", "g13", "g14", "g17", "g20", "g22", "g29", "g4"], test.Distinct().Order(StringComparer.Ordinal));
    }

    [Fact]
    public void RowsWithoutSamplingKeyFallOut()
    {
        var data = _ml.Data.LoadFromEnumerable(new[] { "", "a", "b" }.Select(g => new Grouped { Group = g }));
        var split = _ml.Data.TrainTestSplit(data, 0.5, samplingKeyColumnName: "Group");
        Assert.Equal(["a", "b"], split.TrainSet.Values<string>("Group").Concat(split.TestSet.Values<string>("Group")).Order());
    }

    [Fact]
    public void ASamplingKeyOfKeyTypeIsTakenAsItIs()
    {
        var data = _ml.Data.LoadFromEnumerable(Row.Table(30));
        var keyed = _ml.Transforms.Conversion.MapValueToKey("Key", "Label").Fit(data).Transform(data);
        var split = _ml.Data.TrainTestSplit(keyed, 0.4, samplingKeyColumnName: "Key");
        Assert.Equal(["red"], split.TestSet.Values<string>("Label").Distinct());
        Assert.Equal(["blue", "green"], split.TrainSet.Values<string>("Label").Distinct().Order());
    }

    [Fact]
    public void FoldsTestEachRowOnce()
    {
        var data = _ml.Data.LoadFromEnumerable(Row.Table(200));
        var folds = _ml.Data.CrossValidationSplit(data, numberOfFolds: 4);
        Assert.Equal(4, folds.Count);
        Assert.Equal(data.Values<float>("Number"), folds.SelectMany(f => f.TestSet.Values<float>("Number")).Order());
        foreach (var fold in folds)
            Assert.Equal(
                data.Values<float>("Number"), fold.TestSet.Values<float>("Number").Concat(fold.TrainSet.Values<float>("Number")).Order());
    }

    [Fact]
    public void ImpossibleSplitsAreErrors()
    {
        var data = _ml.Data.LoadFromEnumerable(Row.Table(3));
        Assert.Throws<ArgumentOutOfRangeException>(() => _ml.Data.TrainTestSplit(data, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => _ml.Data.TrainTestSplit(data, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => _ml.Data.CrossValidationSplit(data, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => _ml.Data.TrainTestSplit(data, samplingKeyColumnName: "Absent"));
        Assert.Throws<ArgumentNullException>(() => _ml.Data.TrainTestSplit(null));
    }

    private sealed class Grouped
    {
        public string Group { get; set; }

        public float Number { get; set; }
    }
}
