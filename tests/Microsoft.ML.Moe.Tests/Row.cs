using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Tests;

/// <summary>A row of the tests' tables.</summary>
internal sealed class Row
{
    public string? Text { get; set; }

    public string? Second { get; set; }

    public string? Label { get; set; }

    public int Number { get; set; }

    public bool Flag { get; set; }

    public float Weight { get; set; } = 1f;

    /// <summary>Number of the row in its table.</summary>
    public int Id { get; set; }

    [VectorType(3)]
    public float[] Vector { get; set; } = new float[3];
}
