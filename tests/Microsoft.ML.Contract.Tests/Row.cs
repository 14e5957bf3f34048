using Microsoft.ML.Data;

namespace Microsoft.ML.Contract.Tests;

/// <summary>A row of a small classification table.</summary>
internal sealed class Row
{
    public string Text { get; set; }

    public string Label { get; set; }

    public float Number { get; set; }

    [VectorType(2)]
    public float[] Pair { get; set; } = [0, 0];

    public static Row[] Table(int count) =>
    [
        .. Enumerable.Range(0, count).Select(i => new Row
        {
            Text = $"text {i}", Label = i % 3 == 0 ? "red" : i % 3 == 1 ? "green" : "blue", Number = i, Pair = [i, -i],
        }),
    ];
}
