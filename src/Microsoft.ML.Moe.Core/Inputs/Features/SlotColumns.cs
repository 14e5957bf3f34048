using System.Runtime.InteropServices;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>Rows turned into columns: of each slot the values that are not 0, with the rows they are in.</summary>
internal sealed class SlotColumns
{
    private readonly long[] _offsets;
    private readonly int[] _rows;
    private readonly float[] _values;

    /// <summary>Turns rows into columns.</summary>
    /// <param name="rows">Rows of one number of slots, at least one.</param>
    public SlotColumns(IReadOnlyList<FeatureRow> rows)
    {
        Rows = rows.Count;
        Slots = rows[0].Slots;
        _offsets = new long[Slots + 1];
        foreach (var row in rows)
            ForEach(row, (slot, _) => _offsets[slot + 1]++);
        for (var slot = 0; slot < Slots; slot++)
            _offsets[slot + 1] += _offsets[slot];
        (_rows, _values) = (new int[_offsets[^1]], new float[_offsets[^1]]);
        var next = _offsets.AsSpan(0, Slots).ToArray();
        for (var number = 0; number < rows.Count; number++)
        {
            var current = number;
            ForEach(rows[number], (slot, value) =>
            {
                (_rows[next[slot]], _values[next[slot]]) = (current, value);
                next[slot]++;
            });
        }
    }

    /// <summary>Number of rows.</summary>
    public int Rows { get; }

    /// <summary>Number of slots.</summary>
    public int Slots { get; }

    /// <summary>Values of a slot that are not 0.</summary>
    public ReadOnlySpan<float> ValuesOf(int slot) => Of(_values, slot);

    /// <summary>Rows of <see cref="ValuesOf"/>, rising.</summary>
    public ReadOnlySpan<int> RowsOf(int slot) => Of(_rows, slot);

    /// <summary>Slots that repeat an earlier one, row by row.</summary>
    public HashSet<int> Duplicates()
    {
        var bySlotHash = new Dictionary<int, List<int>>();
        var duplicates = new HashSet<int>();
        for (var slot = 0; slot < Slots; slot++)
        {
            var hash = new HashCode();
            hash.AddBytes(MemoryMarshal.AsBytes(ValuesOf(slot)));
            hash.AddBytes(MemoryMarshal.AsBytes(RowsOf(slot)));
            ref var alike = ref CollectionsMarshal.GetValueRefOrAddDefault(bySlotHash, hash.ToHashCode(), out _);
            alike ??= [];
            if (alike.Exists(earlier => AreSame(earlier, slot)))
                duplicates.Add(slot);
            else
                alike.Add(slot);
        }

        return duplicates;
    }

    // by bits, so that missing values are alike
    private bool AreSame(int one, int other) => RowsOf(one).SequenceEqual(RowsOf(other))
        && MemoryMarshal.AsBytes(ValuesOf(one)).SequenceEqual(MemoryMarshal.AsBytes(ValuesOf(other)));

    private ReadOnlySpan<T> Of<T>(T[] all, int slot) => all.AsSpan((int)_offsets[slot], (int)(_offsets[slot + 1] - _offsets[slot]));

    private static void ForEach(FeatureRow row, Action<int, float> take)
    {
        var values = row.Values;
        if (row.IsSparse)
        {
            var indices = row.Indices;
            for (var i = 0; i < values.Length; i++)
                if (values[i] != 0f)
                    take(indices[i], values[i]);
            return;
        }

        for (var slot = 0; slot < values.Length; slot++)
            if (values[slot] != 0f)
                take(slot, values[slot]);
    }
}
