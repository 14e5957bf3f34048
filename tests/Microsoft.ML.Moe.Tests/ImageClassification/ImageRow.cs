using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Tests.ImageClassification;

/// <summary>A row of the tests' tables of images: the same image as pixels and as a file.</summary>
internal sealed class ImageRow
{
    public const int Side = 6;

    [VectorType(Side * Side)]
    public float[] Features { get; set; } = [];

    public byte[]? Image { get; set; }

    public string? Label { get; set; }

    public float Weight { get; set; } = 1f;

    /// <summary>Number of the row in its table.</summary>
    public int Id { get; set; }
}
