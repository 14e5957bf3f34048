namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// The gradient of a table of which few rows have one. These rows lie side by side, in slots in the order of their first touch, so
/// that memory and time depend on what was touched and not on the table.
/// </summary>
internal sealed unsafe class SparseGradient(int rows, int width)
{
    // Slot + 1; 0 for none.
    private readonly int[] _slots = new int[rows];
    private readonly List<int> _touched = [];
    private MemoryBlock? _memory;

    /// <summary>Floats in a row.</summary>
    public int Width => width;

    /// <summary>Rows with a gradient, by slot.</summary>
    public List<int> Touched => _touched;

    /// <summary>The gradient of the row in a slot.</summary>
    public float* Slot(int slot) => _memory!.Data + (long)slot * width;

    /// <summary>Makes room for more rows; may move what is there.</summary>
    public void Reserve(int more)
    {
        var needed = (long)(_touched.Count + more) * width;
        if (_memory is not null && _memory.Length >= needed)
            return;
        var memory = new MemoryBlock(Math.Max(needed, Math.Min((long)rows * width, 2L * (_memory?.Length ?? 0))));
        if (_memory is not null)
            new ReadOnlySpan<float>(_memory.Data, _touched.Count * width).CopyTo(new Span<float>(memory.Data, memory.Length));
        _memory = memory;
    }

    /// <summary>The slot of a row. Room must have been made.</summary>
    /// <param name="row">Row of the table.</param>
    /// <param name="isFresh">Whether the row had no gradient until now: its slot has arbitrary content.</param>
    public int Touch(int row, out bool isFresh)
    {
        ref var slot = ref _slots[row];
        isFresh = slot == 0;
        if (isFresh)
        {
            _touched.Add(row);
            slot = _touched.Count;
        }

        return slot - 1;
    }

    /// <summary>The whole table's gradient in the order of its rows, for an operation that touches all.</summary>
    public float* TouchAll()
    {
        var memory = new MemoryBlock((long)rows * width);
        CopyTo(new Span<float>(memory.Data, memory.Length));
        Clear();
        _memory = memory;
        for (var row = 0; row < rows; row++)
            Touch(row, out _);
        return memory.Data;
    }

    /// <summary>Forgets all rows.</summary>
    public void Clear()
    {
        foreach (var row in _touched)
            _slots[row] = 0;
        _touched.Clear();
    }

    /// <summary>Copies the gradient of all rows, touched or not.</summary>
    public void CopyTo(Span<float> destination)
    {
        destination[..(rows * width)].Clear();
        for (var slot = 0; slot < _touched.Count; slot++)
            new ReadOnlySpan<float>(Slot(slot), width).CopyTo(destination.Slice(_touched[slot] * width, width));
    }
}
