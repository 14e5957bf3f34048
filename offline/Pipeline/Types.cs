using System.Reflection;
using Microsoft.ML.Data;

namespace Microsoft.ML.Offline;

/// <summary>From .NET types to data view types, and from a type known at run time to a generic method.</summary>
internal static class Types
{
    private static readonly Dictionary<Type, PrimitiveDataViewType> s_primitives = new PrimitiveDataViewType[]
    {
        TextDataViewType.Instance, BooleanDataViewType.Instance, RowIdDataViewType.Instance,
        DateTimeDataViewType.Instance, DateTimeOffsetDataViewType.Instance, TimeSpanDataViewType.Instance,
        NumberDataViewType.SByte, NumberDataViewType.Byte, NumberDataViewType.Int16, NumberDataViewType.UInt16,
        NumberDataViewType.Int32, NumberDataViewType.UInt32, NumberDataViewType.Int64, NumberDataViewType.UInt64,
        NumberDataViewType.Single, NumberDataViewType.Double,
    }.ToDictionary(t => t.RawType);

    internal static IReadOnlyCollection<PrimitiveDataViewType> Primitives => s_primitives.Values;

    internal static PrimitiveDataViewType Of(Type raw) => s_primitives.GetValueOrDefault(raw);

    /// <summary>The key type of so many values, or of as many as fit.</summary>
    internal static KeyDataViewType Key(Type raw, KeyCount count) =>
        new(raw, count?.Count ?? Convert.ToUInt64(raw.GetField(nameof(int.MaxValue)).GetValue(null)));

    internal static DataViewType Item(this DataViewType type) => type is VectorDataViewType vector ? vector.ItemType : type;

    internal static ulong KeyCount(this DataViewType type) => type.Item() is KeyDataViewType key ? key.Count : 0;

    /// <summary>Calls a generic method, given with any type argument, with the type that is only known now.</summary>
    internal static TResult Call<TResult>(Delegate generic, Type type, params object[] args)
    {
        var method = generic.Method.GetGenericMethodDefinition().MakeGenericMethod(type);
        return (TResult)method.Invoke(generic.Target, BindingFlags.DoNotWrapExceptions, null, args, null);
    }
}
