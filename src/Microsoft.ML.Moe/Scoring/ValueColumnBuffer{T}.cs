namespace Microsoft.ML.Moe.Scoring;

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
