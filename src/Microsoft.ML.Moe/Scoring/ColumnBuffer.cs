using System.Reflection;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms.Image;

namespace Microsoft.ML.Moe.Scoring;

/// <summary>Holds a column's values of the rows that were read ahead.</summary>
internal abstract class ColumnBuffer
{
    /// <summary>Creates the buffer of a column.</summary>
    /// <param name="input">Cursor whose values are held.</param>
    /// <param name="column">Column of the cursor.</param>
    /// <param name="rows">Most rows held at a time.</param>
    public static ColumnBuffer Create(DataViewRow input, DataViewSchema.Column column, int rows)
    {
        if (column.Type is ImageDataViewType { Width: > 0 })
            return new ImageColumnBuffer(input, column, rows);
        var type = column.Type.RawType;
        var isVector = type.IsGenericType && type.GetGenericTypeDefinition() == typeof(VBuffer<>);
        var buffer = isVector
            ? typeof(VectorColumnBuffer<>).MakeGenericType(type.GetGenericArguments())
            : typeof(ValueColumnBuffer<>).MakeGenericType(type);
        return (ColumnBuffer)Activator.CreateInstance(
            buffer, BindingFlags.Public | BindingFlags.Instance | BindingFlags.DoNotWrapExceptions, null, [input, column, rows], null)!;
    }

    /// <summary>Takes over the cursor's current value as that of row <paramref name="row"/> of the buffer.</summary>
    public abstract void Read(int row);

    /// <summary>Reads back the value of the row that <paramref name="current"/> tells.</summary>
    public abstract Delegate CreateGetter(Func<int> current);
}

/// <summary>Buffer of a column of single values.</summary>
internal sealed class ValueColumnBuffer<T>(DataViewRow input, DataViewSchema.Column column, int rows) : ColumnBuffer
{
    private readonly ValueGetter<T> _getter = input.GetGetter<T>(column);
    private readonly T[] _values = new T[rows];

    public override void Read(int row)
    {
        // not into the old value: a getter may dispose what it finds there (images), and a consumer may still hold it
        T value = default!;
        _getter(ref value);
        _values[row] = value;
    }

    public override Delegate CreateGetter(Func<int> current) => (ValueGetter<T>)((ref T value) => value = _values[current()]);
}

/// <summary>Buffer of a column of vectors.</summary>
internal sealed class VectorColumnBuffer<T>(DataViewRow input, DataViewSchema.Column column, int rows) : ColumnBuffer
{
    private readonly ValueGetter<VBuffer<T>> _getter = input.GetGetter<VBuffer<T>>(column);
    private readonly VBuffer<T>[] _values = new VBuffer<T>[rows];

    public override void Read(int row) => _getter(ref _values[row]);

    public override Delegate CreateGetter(Func<int> current) =>
        (ValueGetter<VBuffer<T>>)((ref VBuffer<T> value) => _values[current()].CopyTo(ref value));
}
