using Microsoft.ML.Data;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Rows;

/// <summary>How a column is corrupted. Safe to use from several threads.</summary>
internal abstract class ColumnCorruption
{
    /// <summary>Reads the column of a cursor.</summary>
    /// <param name="row">The cursor.</param>
    /// <param name="column">The column.</param>
    public abstract CorruptedColumn CreateReader(DataViewRow row, DataViewSchema.Column column);

    /// <summary>Corrupts texts.</summary>
    /// <param name="corruption">How.</param>
    /// <param name="data">The table.</param>
    /// <param name="column">Its column.</param>
    public static ColumnCorruption OfText(TextCorruption corruption, IDataView data, DataViewSchema.Column column)
    {
        var corrupter = new TextCorrupter(corruption, () => ColumnValues.Read<ReadOnlyMemory<char>>(data, column));
        return new ColumnCorruption<ReadOnlyMemory<char>>(corrupter.Corrupt);
    }

    /// <summary>Corrupts labels.</summary>
    /// <param name="noise">How.</param>
    /// <param name="data">The table.</param>
    /// <param name="column">Its column.</param>
    /// <exception cref="ArgumentOutOfRangeException">The column's values are no labels of classes.</exception>
    public static ColumnCorruption OfLabels(LabelNoise noise, IDataView data, DataViewSchema.Column column)
    {
        return column.Type switch
        {
            KeyDataViewType { RawType: var raw, Count: var count } =>
                raw == typeof(byte) ? Keys<byte>(key => key > count)
                : raw == typeof(ushort) ? Keys<ushort>(key => key > count)
                : raw == typeof(ulong) ? Keys<ulong>(key => key > count)
                : Keys<uint>(key => key > count),
            TextDataViewType => Of(LabelNoiser.OfTexts(noise, data, column)),
            BooleanDataViewType => Of(new LabelNoiser<bool>(noise, data, column, _ => false)),
            NumberDataViewType { RawType: var raw } when raw == typeof(sbyte) => Numbers<sbyte>(),
            NumberDataViewType { RawType: var raw } when raw == typeof(byte) => Numbers<byte>(),
            NumberDataViewType { RawType: var raw } when raw == typeof(short) => Numbers<short>(),
            NumberDataViewType { RawType: var raw } when raw == typeof(ushort) => Numbers<ushort>(),
            NumberDataViewType { RawType: var raw } when raw == typeof(int) => Numbers<int>(),
            NumberDataViewType { RawType: var raw } when raw == typeof(uint) => Numbers<uint>(),
            NumberDataViewType { RawType: var raw } when raw == typeof(long) => Numbers<long>(),
            NumberDataViewType { RawType: var raw } when raw == typeof(ulong) => Numbers<ulong>(),
            _ => throw InputColumns.WrongType(column.Name, "label", column.Type, "a key, text, Boolean or a whole number"),
        };

        ColumnCorruption Keys<T>(Func<T, bool> isBeyond)
            where T : struct, IEquatable<T> =>
            Of(new LabelNoiser<T>(noise, data, column, key => key.Equals(default) || isBeyond(key)));

        ColumnCorruption Numbers<T>()
            where T : struct => Of(new LabelNoiser<T>(noise, data, column, _ => false));

        static ColumnCorruption Of<T>(LabelNoiser<T> noiser)
            where T : notnull => new ColumnCorruption<T>(noiser.Corrupt);
    }
}

/// <summary>Corrupts a value.</summary>
/// <param name="value">The value.</param>
/// <param name="row">Number of its row.</param>
/// <param name="isChanged">Whether the result is another value.</param>
internal delegate T Corrupter<T>(T value, long row, out bool isChanged);

/// <inheritdoc/>
internal sealed class ColumnCorruption<T>(Corrupter<T> corrupt) : ColumnCorruption
{
    /// <inheritdoc/>
    public override CorruptedColumn CreateReader(DataViewRow row, DataViewSchema.Column column) =>
        new CorruptedColumn<T>(row, column, corrupt);
}

/// <summary>A column of a cursor, corrupted.</summary>
internal abstract class CorruptedColumn
{
    /// <summary>Gives the corrupted value.</summary>
    public abstract Delegate Value { get; }

    /// <summary>Gives whether it is another than it was.</summary>
    public abstract ValueGetter<bool> IsChanged { get; }
}

/// <inheritdoc/>
internal sealed class CorruptedColumn<T> : CorruptedColumn
{
    private readonly DataViewRow _row;
    private readonly Corrupter<T> _corrupt;
    private readonly ValueGetter<T> _value;
    private readonly ValueGetter<DataViewRowId> _id;
    private long _position = -1;
    private T _original = default!;
    private T _corrupted = default!;
    private bool _isChanged;

    public CorruptedColumn(DataViewRow row, DataViewSchema.Column column, Corrupter<T> corrupt) =>
        (_row, _corrupt, _value, _id) = (row, corrupt, row.GetGetter<T>(column), row.GetIdGetter());

    /// <inheritdoc/>
    public override Delegate Value => (ValueGetter<T>)((ref T value) =>
    {
        Read();
        value = _corrupted;
    });

    /// <inheritdoc/>
    public override ValueGetter<bool> IsChanged => (ref bool value) =>
    {
        Read();
        value = _isChanged;
    };

    // the row's id, not its position: that is another in a cursor that shuffles or shares the rows with others
    private void Read()
    {
        if (_position >= 0 && _position == _row.Position)
            return;
        DataViewRowId id = default;
        _id(ref id);
        _value(ref _original);
        _corrupted = _corrupt(_original, (long)StableHash.Combine(id.Low, id.High), out _isChanged);
        _position = _row.Position;
    }
}
