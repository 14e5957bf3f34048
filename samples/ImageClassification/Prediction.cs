namespace ImageClassification;

/// <summary>What the model says about an image.</summary>
public sealed class Prediction
{
    public string PredictedLabel { get; set; } = "";

    /// <summary>Probabilities of the labels, in the order of their keys.</summary>
    public float[] Score { get; set; } = [];
}
