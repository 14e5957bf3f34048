using System.Linq.Expressions;
using System.Reflection;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Offline;

/// <summary>A field or property of a row class that is bound to a column: compiled access, no reflection per row.</summary>
internal sealed class RowMember
{
    private readonly MemberInfo _member;

    private RowMember(MemberInfo member, string columnName, DataViewType type, DataViewSchema.Annotations annotations)
    {
        _member = member;
        Column = new DataViewSchema.DetachedColumn(columnName, type, annotations);
    }

    internal DataViewSchema.DetachedColumn Column { get; }

    internal Type Type => TypeOf(_member);

    internal static RowMember[] Of(Type rowType, SchemaDefinition definition, SchemaDefinition.Direction direction) =>
        [.. (definition ?? SchemaDefinition.Create(rowType, direction)).Select(c => Bind(rowType, c))];

    /// <summary>The definition of a class whose columns have the types and annotations of a schema.</summary>
    internal static SchemaDefinition Definition(Type rowType, DataViewSchema schema)
    {
        var definition = SchemaDefinition.Create(rowType, SchemaDefinition.Direction.Read);
        foreach (var column in schema)
        {
            var own = definition[column.Name] ?? throw Contracts.Except($"Type should contain a member named {column.Name}");
            own.ColumnType = column.Type;
            own.AddAnnotations(column.Annotations);
        }

        return definition;
    }

    internal static Type TypeOf(MemberInfo member) => member is FieldInfo field ? field.FieldType : ((PropertyInfo)member).PropertyType;

    /// <summary>The type of the items as data views hold them: text is ReadOnlyMemory of char.</summary>
    internal static Type ItemType(MemberInfo member, out bool isVector)
    {
        var type = TypeOf(member);
        isVector = type.IsArray || type.IsGenericType && type.GetGenericTypeDefinition() == typeof(VBuffer<>);
        if (isVector)
            type = type.IsArray ? type.GetElementType() : type.GetGenericArguments()[0];
        return type == typeof(string) ? typeof(ReadOnlyMemory<char>) : type;
    }

    internal bool Fits(DataViewType type) =>
        type.Item().RawType == ItemType(_member, out var isVector) && isVector == type is VectorDataViewType;

    internal Func<TRow, TValue> Reader<TRow, TValue>()
    {
        var row = Expression.Parameter(typeof(TRow));
        return Expression.Lambda<Func<TRow, TValue>>(Expression.MakeMemberAccess(row, _member), row).Compile();
    }

    internal Action<TRow, TValue> Writer<TRow, TValue>()
    {
        var (row, value) = (Expression.Parameter(typeof(TRow)), Expression.Parameter(typeof(TValue)));
        return Expression.Lambda<Action<TRow, TValue>>(
            Expression.Assign(Expression.MakeMemberAccess(row, _member), value), row, value).Compile();
    }

    internal string Name => _member.Name;

    private static RowMember Bind(Type rowType, SchemaDefinition.Column column)
    {
        var member = (MemberInfo)rowType.GetField(column.MemberName) ?? rowType.GetProperty(column.MemberName) ??
            throw Contracts.ExceptParam(
                "userSchemaDefinition", $"No field or property with name '{column.MemberName}' found in type '{rowType.FullName}'");
        var raw = ItemType(member, out var isVector);
        var type = column.ColumnType ?? (isVector ? new VectorDataViewType(Types.Of(raw)) : Types.Of(raw));
        Contracts.CheckParam(
            isVector == type is VectorDataViewType, "userSchemaDefinition",
            $"Column '{column.ColumnName}' is {type}, but its member '{column.MemberName}' is {TypeOf(member)}.");
        Contracts.CheckParam(
            type.Item().RawType == raw, "userSchemaDefinition",
            $"Column '{column.ColumnName}' has items of {type.Item().RawType}, but its member '{column.MemberName}' of {raw}.");
        var name = string.IsNullOrEmpty(column.ColumnName) ? column.MemberName : column.ColumnName;
        return new RowMember(member, name, type, column.Annotations);
    }
}
