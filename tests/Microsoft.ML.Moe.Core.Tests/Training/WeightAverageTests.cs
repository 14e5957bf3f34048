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
}
