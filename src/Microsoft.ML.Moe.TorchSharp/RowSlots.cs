namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>Numbers the rows of a table in the order in which they are first asked for.</summary>
internal sealed class RowSlots
{
    private readonly Dictionary<int, int> _slots = [];
    private readonly List<int> _rows = [];

    /// <summary>The rows, by slot; each once.</summary>
    public IReadOnlyList<int> Rows => _rows;

    /// <summary>The slots of rows, which may repeat.</summary>
    public int[] Of(ReadOnlySpan<int> rows)
    {
        var result = new int[rows.Length];
        for (var i = 0; i < rows.Length; i++)
        {
            if (!_slots.TryGetValue(rows[i], out result[i]))
            {
                result[i] = _rows.Count;
                _slots.Add(rows[i], result[i]);
                _rows.Add(rows[i]);
            }
        }

        return result;
    }
}
