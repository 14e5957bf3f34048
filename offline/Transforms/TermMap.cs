using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Microsoft.ML.Transforms;

namespace Microsoft.ML.Offline;

/// <summary>Distinct values and their keys, from 1; a missing or unknown value has key 0.</summary>
internal abstract class TermMap
{
    private protected TermMap()
    {
    }

    internal abstract PrimitiveDataViewType ItemType { get; }

    internal abstract int Count { get; }

    internal KeyDataViewType OutputType => new(typeof(uint), Math.Max(1, Count));

    internal static TermMap Learn(
        IDataView data, DataViewSchema.Column column, int maximum, ValueToKeyMappingEstimator.KeyOrdinality ordinality) =>
        Types.Call<TermMap>(LearnCore<int>, column.Type.Item().RawType, data, column, maximum, ordinality);

    internal static TermMap Load(BinaryReader reader)
    {
        var type = SchemaFile.ReadType(reader) as PrimitiveDataViewType ??
            throw Contracts.ExceptDecode("Corrupt model file: terms of a vector type.");
        return Types.Call<TermMap>(LoadCore<int>, type.RawType, type, reader);
    }

    internal abstract void Save(BinaryWriter writer);

    internal abstract Delegate CreateGetter(DataViewRow row, DataViewSchema.Column column);

    internal abstract void AddKeyValues(DataViewSchema.Annotations.Builder builder, DataViewSchema.Column source, bool asText);

    private static TermMap LoadCore<T>(PrimitiveDataViewType type, BinaryReader reader)
    {
        var codec = Codec<T>.Instance;
        var terms = new T[reader.ReadCount(1)];
        for (var i = 0; i < terms.Length; i++)
            terms[i] = codec.Read(reader);
        return new TermMap<T>(type, terms);
    }

    private static TermMap LearnCore<T>(
        IDataView data, DataViewSchema.Column column, int maximum, ValueToKeyMappingEstimator.KeyOrdinality ordinality)
    {
        var type = (PrimitiveDataViewType)column.Type.Item();
        var terms = Values<T>(data, column).Where(v => !TermMap<T>.IsMissing(v, type))
            .Distinct(Codec<T>.Instance.Comparer).Take(maximum);
        if (ordinality == ValueToKeyMappingEstimator.KeyOrdinality.ByValue)
            terms = terms.Order(Codec<T>.Instance.Order);
        return new TermMap<T>(type, [.. terms]);
    }

    private static IEnumerable<T> Values<T>(IDataView data, DataViewSchema.Column column)
    {
        using var cursor = data.GetRowCursor([column]);
        T value = default;
        if (column.Type is not VectorDataViewType)
        {
            var get = cursor.GetGetter<T>(column);
            while (cursor.MoveNext())
            {
                get(ref value);
                yield return value;
            }

            yield break;
        }

        VBuffer<T> vector = default;
        var getVector = cursor.GetGetter<VBuffer<T>>(column);
        while (cursor.MoveNext())
        {
            getVector(ref vector);
            foreach (var item in vector.DenseValues().ToArray())
                yield return item;
        }
    }
}

file sealed class TermMap<T>(PrimitiveDataViewType type, T[] terms) : TermMap
{
    private readonly Dictionary<T, uint> _keys = Keys(terms);

    internal override PrimitiveDataViewType ItemType => type;

    internal override int Count => terms.Length;

    public static bool IsMissing(T value, PrimitiveDataViewType type) =>
        value is ReadOnlyMemory<char> { IsEmpty: true } or float.NaN or double.NaN ||
        type is KeyDataViewType && Numbers.ToDouble(value) == 0;

    internal override void Save(BinaryWriter writer)
    {
        SchemaFile.WriteType(writer, type);
        writer.Write(terms.Length);
        foreach (var term in terms)
            Codec<T>.Instance.Write(writer, term);
    }

    internal override Delegate CreateGetter(DataViewRow row, DataViewSchema.Column column)
    {
        if (column.Type is not VectorDataViewType)
        {
            var get = row.GetGetter<T>(column);
            T source = default;
            return (ValueGetter<uint>)((ref uint key) =>
            {
                get(ref source);
                key = _keys.GetValueOrDefault(source);
            });
        }

        var getVector = row.GetGetter<VBuffer<T>>(column);
        VBuffer<T> vector = default;
        return (ValueGetter<VBuffer<uint>>)((ref VBuffer<uint> keys) =>
        {
            getVector(ref vector);
            var editor = VBufferEditor.Create(ref keys, vector.Length);
            for (var i = 0; i < vector.Length; i++)
                editor.Values[i] = _keys.GetValueOrDefault(vector.GetItemOrDefault(i));
            keys = editor.Commit();
        });
    }

    internal override void AddKeyValues(DataViewSchema.Annotations.Builder builder, DataViewSchema.Column source, bool asText)
    {
        if (Count == 0)
            return;
        var original = source.Annotations.Schema.GetColumnOrNull(AnnotationUtils.Kinds.KeyValues);
        if (type is KeyDataViewType && original?.Type is VectorDataViewType values)
            Types.Call<object>(AddOriginal<int>, values.ItemType.RawType, builder, source, values.ItemType);
        else if (asText && type is not TextDataViewType)
            builder.AddKeyValues(Count, TextDataViewType.Instance, Getter([.. terms.Select(t => Codec<T>.Instance.Text(t).AsMemory())]));
        else
            builder.AddKeyValues(Count, type, Getter(terms));
    }

    /// <summary>Keys of keys: the values behind the first keys.</summary>
    private object AddOriginal<TValue>(
        DataViewSchema.Annotations.Builder builder, DataViewSchema.Column source, PrimitiveDataViewType valueType)
    {
        VBuffer<TValue> values = default;
        source.GetKeyValues(ref values);
        var original = values;
        builder.AddKeyValues(Count, valueType, Getter([.. terms.Select(t => original.GetItemOrDefault((int)Numbers.ToDouble(t) - 1))]));
        return null;
    }

    private static ValueGetter<VBuffer<TValue>> Getter<TValue>(TValue[] values) =>
        (ref VBuffer<TValue> value) => VBuffer<TValue>.Copy(values, 0, ref value, values.Length);

    private static Dictionary<T, uint> Keys(T[] terms)
    {
        var keys = new Dictionary<T, uint>(Codec<T>.Instance.Comparer);
        foreach (var term in terms)
            keys.TryAdd(term, (uint)keys.Count + 1);
        Contracts.CheckDecode(keys.Count == terms.Length, "Corrupt model file: a term occurs twice.");
        return keys;
    }
}
