using Microsoft.ML.Moe.Experiments.Reporting;
using Xunit;

namespace Microsoft.ML.Moe.Experiments.Tests;

public class QualityTests
{
    [Fact]
    public void Measures_AreThoseWorkedByHand()
    {
        // class 0: right, right; class 1: wrong
        float[] probabilities = [0.9f, 0.1f, 0.9f, 0.1f, 0.75f, 0.25f];
        var quality = Quality.Of(probabilities, [0, 0, 1]);
        Assert.Equal(2 / 3.0, quality.Accuracy, 6);
        Assert.Equal(0.5, quality.MacroAccuracy, 6);
        Assert.Equal(-(2 * Math.Log(0.9) + Math.Log(0.25)) / 3, quality.LogLoss, 6);
        // one bin is 0.2 too low in sum, the other 0.75 too high
        Assert.Equal((0.2 + 0.75) / 3, quality.CalibrationError, 6);
    }

    [Fact]
    public void ClassesThatDoNotOccur_AreNotInTheMacroAccuracy() =>
        Assert.Equal(1, Quality.Of([0.8f, 0.1f, 0.1f, 0.7f, 0.2f, 0.1f], [0, 0]).MacroAccuracy);
}
