using Microsoft.ML.Moe.Heads;

namespace Microsoft.ML.Moe.Tests.Heads;

/// <summary>The temperature of probabilities.</summary>
public sealed class TemperatureTests
{
    [Fact]
    public void Probabilities_are_raised_and_normalised()
    {
        float[] probabilities = [0.64f, 0.36f, 0f, 1f];
        Temperature.Apply(probabilities, 2, 2f);
        Assert.Equal([0.8f / 1.4f, 0.6f / 1.4f, 0f, 1f], probabilities, (x, y) => Math.Abs(x - y) < 1e-6f);
    }

    [Fact]
    public void The_best_temperature_makes_the_log_loss_smallest()
    {
        // says 0.9 and is right in 7 of 10 rows: at the best temperature it says 0.7
        var probabilities = Enumerable.Range(0, 10).SelectMany(_ => new[] { 0.9f, 0.1f }).ToArray();
        int[] targets = [.. Enumerable.Range(0, 10).Select(row => row < 7 ? 0 : 1)];
        var (temperature, loss) = Temperature.Fit(probabilities, 2, targets, [.. Enumerable.Repeat(1f, 10)]);
        Assert.Equal(Math.Log(9) / Math.Log(7 / 3.0), temperature, 0.01);
        Assert.Equal(-(0.7 * Math.Log(0.7) + 0.3 * Math.Log(0.3)), loss, 1e-4);
    }

    [Fact]
    public void Rows_count_by_their_weight()
    {
        // right in 7 of 10 by weight, as above by number
        float[] probabilities = [0.9f, 0.1f, 0.9f, 0.1f, 0.9f, 0.1f];
        var (temperature, loss) = Temperature.Fit(probabilities, 2, [0, 1, 1], [7f, 3f, 0f]);
        Assert.Equal(Math.Log(9) / Math.Log(7 / 3.0), temperature, 0.01);
        Assert.Equal(-(0.7 * Math.Log(0.7) + 0.3 * Math.Log(0.3)), loss, 1e-4);
    }

    [Fact]
    public void It_stays_within_bounds()
    {
        Assert.Equal(0.25f, Temperature.Fit([0.6f, 0.4f], 2, [0], [1f]).Temperature, 0.01f);
        Assert.Equal(4f, Temperature.Fit([1f, 0f], 2, [1], [1f]).Temperature, 0.01f);
    }
}
