using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

public class WeightAverageTests
{
    [Fact]
    public void FollowsTheWeightsAndChangesPlacesWithThem()
    {
        using var engine = new ManagedEngine();
        var weights = engine.CreateParameter("w", [2], [1f, 2f]);
        var average = new WeightAverage([weights], decay: 0.75f);

        weights.Value.CopyFrom([5f, 2f]);
        average.Update();
        average.Swap();
        Assert.Equal([2f, 2f], weights.Value.ToArray());
        average.Swap();

        Assert.Equal([5f, 2f], weights.Value.ToArray());
        Assert.Equal([2f, 2f], average.Averages[0]);
        Assert.Throws<ArgumentOutOfRangeException>(() => new WeightAverage([weights], decay: 1f));
    }

    [Fact]
    public void GoesOnFromWhatWasExported()
    {
        using var engine = new ManagedEngine();
        var weights = engine.CreateParameter("w", [2], [1f, 2f]);
        var (first, second) = (Create(), Create());
        first.Update();
        weights.Value.CopyFrom([3f, 8f]);
        first.Update();
        var exported = Assert.Single(first.Export());
        Assert.Equal("w", exported.Name);
        second.Import([exported.Values], updates: 2);

        weights.Value.CopyFrom([-5f, 4f]);
        first.Update();
        second.Update();

        // of the third update d is 4/13, so 9/13 is new: after 1, then 1 + (3 − 1)·9/12
        Assert.Equal(first.Averages[0], second.Averages[0]);
        Assert.Equal(2.5f + (-5f - 2.5f) * 9 / 13, second.Averages[0][0], 1e-5f);

        WeightAverage Create() => new([weights], decay: 0.9f, startsAtFirstUpdate: true, warmsUp: true);
    }
}
