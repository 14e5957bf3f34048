using System.Runtime.InteropServices;

namespace Microsoft.ML.Moe.Tensors;

/// <summary>
/// A copy of the rows of a table that are not zero: few, where an embedding table has been trained on few texts. The others, and the memory that they lie in,
/// are left alone.
/// </summary>
/// <param name="length">Values of the table.</param>
/// <param name="width">Values of a row.</param>
internal sealed class KeptRows(int length, int width)
{
    private readonly List<int> _numbers = [];
    private float[] _values = [];

    /// <summary>Copies the rows of a table that are not zero.</summary>
    /// <param name="table">The table.</param>
    public void Take(ReadOnlySpan<float> table)
    {
        _numbers.Clear();
        for (var row = 0; row < length / width; row++)
        {
            if (!IsZero(table.Slice(row * width, width)))
                _numbers.Add(row);
        }

        if (_values.Length < _numbers.Count * width)
            _values = new float[_numbers.Count * width];
        for (var i = 0; i < _numbers.Count; i++)
            table.Slice(_numbers[i] * width, width).CopyTo(_values.AsSpan(i * width));
    }

    /// <summary>Makes a table what it was.</summary>
    /// <param name="table">The table.</param>
    public void Put(Span<float> table)
    {
        var next = 0;
        for (var row = 0; row < length / width; row++)
        {
            var target = table.Slice(row * width, width);
            if (next < _numbers.Count && _numbers[next] == row)
                _values.AsSpan(next++ * width, width).CopyTo(target);
            else if (!IsZero(target))
                target.Clear();
        }
    }

    /// <summary>The table.</summary>
    public float[] ToArray()
    {
        var table = new float[length];
        Put(table);
        return table;
    }

    // of bits: −0 is kept
    private static bool IsZero(ReadOnlySpan<float> row) => !MemoryMarshal.Cast<float, uint>(row).ContainsAnyExcept(0u);
}
