namespace Microsoft.ML.Moe.Tests;

/// <summary>A scored row.</summary>
internal sealed class Prediction
{
    public uint PredictedLabel { get; set; }

    public float[] Score { get; set; } = [];

    public int Id { get; set; }
}
