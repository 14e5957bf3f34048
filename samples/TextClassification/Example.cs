namespace TextClassification;

/// <summary>A row of a table.</summary>
public sealed class Example
{
    public string Label { get; set; } = "";

    public string Text { get; set; } = "";
}

/// <summary>What the model says about a row.</summary>
public sealed class Prediction
{
    public string PredictedLabel { get; set; } = "";

    /// <summary>Probabilities of the labels, in the order of their keys.</summary>
    public float[] Score { get; set; } = [];
}
