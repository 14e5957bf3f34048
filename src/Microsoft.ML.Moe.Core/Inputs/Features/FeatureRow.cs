namespace Microsoft.ML.Moe.Inputs;

/// <summary>
/// A row of numbers, one for each slot of a vector of features, as the table has them: NaN is a missing value. Kept dense, or as the slots that
/// are not 0 where these are few.
/// </summary>
public sealed class FeatureRow
{
    /// <summary>Most slots.</summary>
    public const int MaximumSlots = 1 << 24;

    private readonly int[]? _indices;
    private readonly float[] _values;

    private FeatureRow(int slots, int[]? indices, float[] values) => (Slots, _indices, _values) = (slots, indices, values);

    /// <summary>Number of slots.</summary>
    public int Slots { get; }

    /// <summary>Bytes that it takes, about.</summary>
    internal long Bytes => sizeof(float) * (_values.LongLength + (_indices?.LongLength ?? 0)) + 48;

    /// <summary>Slots that are not 0; null where all are listed.</summary>
    internal ReadOnlySpan<int> Indices => _indices;

    /// <summary>Whether only the slots of <see cref="Indices"/> have values, and the others are 0.</summary>
    internal bool IsSparse => _indices is not null;

    /// <summary>Values: of all slots, or of <see cref="Indices"/>.</summary>
    internal ReadOnlySpan<float> Values => _values;

    /// <summary>A row of all its values.</summary>
    /// <param name="values">One for each slot.</param>
    public static FeatureRow Dense(ReadOnlySpan<float> values)
    {
        CheckSlots(values.Length);
        var filled = 0;
        foreach (var value in values)
            filled += value == 0f ? 0 : 1;
        if (filled * 3L >= values.Length)
            return new FeatureRow(values.Length, null, values.ToArray());
        var (indices, kept) = (new int[filled], new float[filled]);
        var next = 0;
        for (var slot = 0; slot < values.Length; slot++)
        {
            if (values[slot] == 0f)
                continue;
            (indices[next], kept[next]) = (slot, values[slot]);
            next++;
        }

        return new FeatureRow(values.Length, indices, kept);
    }

    /// <summary>A row of which most slots are 0.</summary>
    /// <param name="slots">Number of slots, within [1, <see cref="MaximumSlots"/>].</param>
    /// <param name="indices">Slots with a value, rising, each within [0, <paramref name="slots"/>).</param>
    /// <param name="values">Their values.</param>
    /// <exception cref="ArgumentException">There are not as many values as slots, or the slots do not rise.</exception>
    public static FeatureRow Sparse(int slots, ReadOnlySpan<int> indices, ReadOnlySpan<float> values)
    {
        CheckSlots(slots);
        if (indices.Length != values.Length)
            throw new ArgumentException($"There are {indices.Length} slots and {values.Length} values.", nameof(values));
        for (var i = 0; i < indices.Length; i++)
            if (indices[i] < 0 || indices[i] >= slots || (i > 0 && indices[i] <= indices[i - 1]))
                throw new ArgumentException($"Slots rise within [0, {slots}); number {i} is {indices[i]}.", nameof(indices));
        if (indices.Length * 3L < slots)
            return new FeatureRow(slots, indices.ToArray(), values.ToArray());
        var all = new float[slots];
        for (var i = 0; i < indices.Length; i++)
            all[indices[i]] = values[i];
        return new FeatureRow(slots, null, all);
    }

    /// <summary>The value of a slot.</summary>
    /// <param name="slot">Within [0, <see cref="Slots"/>).</param>
    public float this[int slot]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(slot);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(slot, Slots);
            if (_indices is null)
                return _values[slot];
            var place = Array.BinarySearch(_indices, slot);
            return place < 0 ? 0f : _values[place];
        }
    }

    private static void CheckSlots(int slots)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(slots, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(slots, MaximumSlots);
    }
}
