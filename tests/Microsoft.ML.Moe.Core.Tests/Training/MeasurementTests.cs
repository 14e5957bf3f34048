using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

public class MeasurementTests
{
    [Fact]
    public void LossAndMetricAreMeansOverAllThatWasAdded()
    {
        var measurement = new Measurement();

        measurement.Add(loss: 2, metric: 1, weight: 1f);
        measurement.Add(loss: 4, metric: 0, weight: 1f);
        measurement.AddProbability([0.25f, 0.75f], target: 0, weight: 1f);

        Assert.Equal(3, measurement.Count);
        Assert.Equal((6 - Math.Log(0.25)) / 3, measurement.Loss, 1e-9);
        Assert.Equal(1.0 / 3, measurement.Metric, 1e-12);
    }

    [Fact]
    public void RowsCountByTheirWeightAndThoseWithoutNotAtAll()
    {
        var measurement = new Measurement();
        measurement.Add(loss: double.NaN, metric: 1, weight: 0f);
        Assert.Null(measurement.Result);

        measurement.Add(loss: 1, metric: 1, weight: 3f);
        measurement.Add(loss: 5, metric: 0, weight: 1f);

        Assert.Equal((2.0, 0.75), measurement.Result);
    }

    [Fact]
    public void ARightClassCountsAndAnImpossibleOneCostsNoMoreThanTheSmallestProbability()
    {
        var measurement = new Measurement();

        measurement.AddProbability([0f, 1f, 0f], target: 1, weight: 1f);
        measurement.AddProbability([0f, 1f, 0f], target: 2, weight: 1f);

        Assert.Equal(0.5, measurement.Metric);
        Assert.Equal(-Math.Log(1e-15) / 2, measurement.Loss, 1e-9);
    }

    [Fact]
    public void OfEqualValuesTheFirstIsTheMaximum()
    {
        Assert.Equal(1, Measurement.IndexOfMaximum([1f, 3f, 3f]));
        Assert.Equal(0, Measurement.IndexOfMaximum([float.NegativeInfinity, float.NegativeInfinity]));
    }

    [Fact]
    public void RoomIsUsedAgain()
    {
        var measurement = new Measurement();
        measurement.Room(8)[0] = 5;

        Assert.Equal(5, measurement.Room(3)[0]);
        Assert.Equal(3, measurement.Room(3).Length);
        Assert.Equal(9, measurement.Room(9).Length);
    }

    [Fact]
    public void TargetsAreThoseOfTheLastBatch()
    {
        var targets = new Targets();
        targets.Begin(3);
        targets.Add(2f, 0.5f);
        targets.Add(1f, 3f);
        targets.Add(0f, 1f);
        targets.Begin(2);
        targets.Add(1f, 4f);

        Assert.Equal(1, targets.Count);
        Assert.Equal([1f], targets.Values.ToArray());
        Assert.Equal([1], targets.Classes.ToArray());
        Assert.Equal([4f], targets.Weights.ToArray());
    }

    [Theory]
    [InlineData(-1f)]
    [InlineData(3f)]
    [InlineData(0.5f)]
    [InlineData(float.NaN)]
    public void ATargetThatIsNoClassIsNamed(float target)
    {
        var error = Assert.Throws<ArgumentException>(() => ClassTargets.Check(target, 3, "rows"));

        Assert.Equal("rows", error.ParamName);
        Assert.Contains("within the 3 classes", error.Message, StringComparison.Ordinal);
        ClassTargets.Check(2f, 3, "rows");
    }
}
