using Microsoft.ML.Data;

namespace ImageClassification;

/// <summary>An image as pixels.</summary>
public sealed class PixelExample : Example
{
    [VectorType(Digits.Side * Digits.Side)]
    public float[] Features { get; set; } = [];
}
