using Microsoft.ML.Data;

namespace ImageClassification;

/// <summary>A labelled image.</summary>
public abstract class Example
{
    public string Label { get; set; } = "";

    /// <summary>What the image is called, or looks like; no column of the table.</summary>
    [NoColumn]
    public string Name { get; set; } = "";
}

/// <summary>An image as pixels.</summary>
public sealed class PixelExample : Example
{
    [VectorType(Digits.Side * Digits.Side)]
    public float[] Features { get; set; } = [];
}

/// <summary>An image as a PNG, JPEG or BMP file.</summary>
public sealed class FileExample : Example
{
    public byte[] Features { get; set; } = [];
}

/// <summary>What the model says about an image.</summary>
public sealed class Prediction
{
    public string PredictedLabel { get; set; } = "";

    /// <summary>Probabilities of the labels, in the order of their keys.</summary>
    public float[] Score { get; set; } = [];
}
