using Microsoft.ML.Moe.Inputs;

namespace Microsoft.ML.Moe.Rows;

/// <summary>Makes what corrupts labels of a type.</summary>
internal static class LabelNoiser
{
    /// <summary>Texts; an empty one is a missing label.</summary>
    public static LabelNoiser<ReadOnlyMemory<char>> OfTexts(LabelNoise noise, IDataView data, DataViewSchema.Column column) =>
        new(noise, data, column, text => text.IsEmpty, text => text.ToString().AsMemory(), TextOrder.Instance, TextOrder.Instance);

    private sealed class TextOrder : IEqualityComparer<ReadOnlyMemory<char>>, IComparer<ReadOnlyMemory<char>>
    {
        public static readonly TextOrder Instance = new();

        public bool Equals(ReadOnlyMemory<char> x, ReadOnlyMemory<char> y) => x.Span.SequenceEqual(y.Span);

        public int GetHashCode(ReadOnlyMemory<char> text) => string.GetHashCode(text.Span);

        public int Compare(ReadOnlyMemory<char> x, ReadOnlyMemory<char> y) => x.Span.SequenceCompareTo(y.Span);
    }
}

/// <summary>Gives rows of a table the labels of other classes. Safe to use from several threads.</summary>
internal sealed class LabelNoiser<T>
    where T : notnull
{
    private readonly Func<T, bool> _isMissing;
    private readonly LabelCorrupter<T> _corrupter;

    /// <summary>Creates it.</summary>
    /// <param name="noise">How labels are corrupted.</param>
    /// <param name="data">The table; its labels are read when the first label is drawn.</param>
    /// <param name="column">Its label column.</param>
    /// <param name="isMissing">Whether a value stands for a missing label, which stays missing.</param>
    /// <param name="copy">Makes a value that stays when the next is read; null where every value does.</param>
    /// <param name="equality">Tells classes apart; null for the type's own.</param>
    /// <param name="order">Orders classes; null for the type's own.</param>
    public LabelNoiser(
        LabelNoise noise,
        IDataView data,
        DataViewSchema.Column column,
        Func<T, bool> isMissing,
        Func<T, T>? copy = null,
        IEqualityComparer<T>? equality = null,
        IComparer<T>? order = null)
    {
        _isMissing = isMissing;
        _corrupter = new LabelCorrupter<T>(noise, () =>
        {
            var counts = new Dictionary<T, long>(equality);
            foreach (var label in ColumnValues.Read<T>(data, column))
            {
                if (counts.TryGetValue(label, out var count))
                    counts[label] = count + 1;
                else if (!isMissing(label))
                    counts.Add(copy is null ? label : copy(label), 1);
            }

            return counts.Count >= 2
                ? new Occurrences<T>(counts, order ?? Comparer<T>.Default)
                : throw new InvalidOperationException(
                    $"The label column '{column.Name}' has {counts.Count} different labels: there is no other class to draw.");
        });
    }

    /// <inheritdoc cref="LabelCorrupter{T}.Corrupt"/>
    public T Corrupt(T label, long row, out bool isChanged)
    {
        if (!_isMissing(label))
            return _corrupter.Corrupt(label, row, out isChanged);
        isChanged = false;
        return label;
    }
}
