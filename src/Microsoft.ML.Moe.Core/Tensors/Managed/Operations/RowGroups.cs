namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// Entries that name rows of a table, grouped by row, so that each row's gradient is summed by one thread in the order of the
/// entries.
/// </summary>
internal readonly unsafe struct RowGroups
{
    private readonly int* _rows;
    private readonly int* _offsets;

    /// <summary>Groups entries.</summary>
    /// <param name="memory">Holds the groups.</param>
    /// <param name="rows">Row of each entry.</param>
    /// <param name="entries">Number of entries.</param>
    /// <param name="groupOfRow">One zero for each row of the table; zeros again afterwards.</param>
    public RowGroups(Arena memory, int* rows, int entries, Span<int> groupOfRow)
    {
        _rows = memory.AllocateIntegers(entries);
        _offsets = memory.AllocateIntegers(entries + 1L);
        Entries = memory.AllocateIntegers(entries);
        Count = 0;
        for (var entry = 0; entry < entries; entry++)
        {
            ref var group = ref groupOfRow[rows[entry]];
            if (group == 0)
            {
                _rows[Count] = rows[entry];
                _offsets[Count] = 0;
                group = ++Count;
            }

            _offsets[group - 1]++;
        }

        // From sizes to starts, then from starts to ends while the entries are placed, then back to starts.
        var start = 0;
        for (var group = 0; group < Count; group++)
        {
            var size = _offsets[group];
            _offsets[group] = start;
            start += size;
        }

        for (var entry = 0; entry < entries; entry++)
            Entries[_offsets[groupOfRow[rows[entry]] - 1]++] = entry;
        for (var group = Count; group > 0; group--)
            _offsets[group] = _offsets[group - 1];
        _offsets[0] = 0;
        for (var group = 0; group < Count; group++)
            groupOfRow[_rows[group]] = 0;
    }

    /// <summary>Number of different rows.</summary>
    public int Count { get; }

    /// <summary>The table row of a group.</summary>
    public int Row(int group) => _rows[group];

    /// <summary>The entries, those of a group side by side and ascending.</summary>
    public int* Entries { get; }

    /// <summary>Where a group's entries start; for the number of groups, where the last one's end.</summary>
    public int Start(int group) => _offsets[group];
}
