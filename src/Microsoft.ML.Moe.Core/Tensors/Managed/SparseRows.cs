namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Which rows of a table have a gradient. Rows without one have arbitrary content in the gradient's memory.</summary>
internal sealed unsafe class SparseRows(int rows, int width)
{
    private readonly bool[] _isTouched = new bool[rows];
    private readonly List<int> _touched = [];

    /// <summary>Floats in a row.</summary>
    public int Width => width;

    /// <summary>Rows with a gradient, in the order of their first touch.</summary>
    public List<int> Touched => _touched;

    /// <summary>Marks a row.</summary>
    /// <returns>Whether the row had no gradient until now.</returns>
    public bool Touch(int row)
    {
        if (_isTouched[row])
            return false;
        _isTouched[row] = true;
        _touched.Add(row);
        return true;
    }

    /// <summary>Marks all rows; those without gradient get zeros.</summary>
    public void TouchAll(float* gradient)
    {
        for (var row = 0; row < rows; row++)
        {
            if (Touch(row))
                new Span<float>(gradient + (long)row * width, width).Clear();
        }
    }

    /// <summary>Forgets all rows.</summary>
    public void Clear()
    {
        foreach (var row in _touched)
            _isTouched[row] = false;
        _touched.Clear();
    }

    /// <summary>Copies the gradient of all rows.</summary>
    public void Copy(float* gradient, Span<float> destination)
    {
        destination.Clear();
        foreach (var row in _touched)
            new ReadOnlySpan<float>(gradient + (long)row * width, width).CopyTo(destination.Slice(row * width, width));
    }
}
