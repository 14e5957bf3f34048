namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>What a caller reads of a scored row.</summary>
internal sealed class TextPrediction
{
    public string PredictedLabel { get; set; } = "";

    public float[] Score { get; set; } = [];
}
