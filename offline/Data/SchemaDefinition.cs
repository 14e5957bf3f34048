using System.Reflection;
using Microsoft.ML.Offline;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

/// <summary>Which members of a class are columns, under which name and type.</summary>
public sealed class SchemaDefinition : List<SchemaDefinition.Column>
{
    private SchemaDefinition()
    {
    }

    [Flags]
    public enum Direction
    {
        Read = 1,
        Write = 2,
        Both = Read | Write,
    }

    public Column this[string columnName]
    {
        get => Find(c => c.ColumnName == columnName);
        set
        {
            Contracts.CheckValue(value, nameof(value));
            Contracts.CheckParam(value.ColumnName == columnName, nameof(columnName), $"The column is called '{value.ColumnName}'.");
            var index = FindIndex(c => c.ColumnName == columnName);
            if (index >= 0)
                this[index] = value;
            else
                Add(value);
        }
    }

    public static SchemaDefinition Create(Type userType, Direction direction = Direction.Both)
    {
        Contracts.CheckValue(userType, nameof(userType));
        var definition = new SchemaDefinition();
        foreach (var member in Members(userType, direction))
        {
            var name = member.GetCustomAttribute<ColumnNameAttribute>()?.Name ?? member.Name;
            if (definition[name] != null)
                throw Contracts.ExceptParam(nameof(userType), $"Duplicate column name '{name}' detected, this is disallowed");
            definition.Add(new Column(member.Name, TypeOf(member, nameof(userType)), name));
        }

        return definition;
    }

    private static IEnumerable<MemberInfo> Members(Type userType, Direction direction)
    {
        const BindingFlags visible = BindingFlags.Public | BindingFlags.Instance;
        var (read, write) = (direction.HasFlag(Direction.Read), direction.HasFlag(Direction.Write));
        var properties = userType.GetProperties(visible).Where(p => p.GetIndexParameters().Length == 0 &&
            (read && p.GetGetMethod() != null || write && p.GetSetMethod() != null));
        return userType.GetFields(visible).Concat<MemberInfo>(properties)
            .Where(m => m.GetCustomAttribute<NoColumnAttribute>() == null && RowMember.TypeOf(m) != typeof(IChannel));
    }

    private static DataViewType TypeOf(MemberInfo member, string paramName)
    {
        var raw = RowMember.ItemType(member, out var isVector);
        var item = Types.Of(raw) ??
            throw Contracts.ExceptParam(paramName, $"Could not determine an IDataView type for member {member.Name}");
        if (member.GetCustomAttribute<KeyTypeAttribute>() is { } key)
        {
            Contracts.CheckParam(KeyDataViewType.IsValidDataType(raw), paramName, $"Member {member.Name} marked as key cannot be one.");
            item = Types.Key(raw, key.KeyCount);
        }

        var vector = member.GetCustomAttribute<VectorTypeAttribute>();
        Contracts.CheckParam(vector == null || isVector, paramName, $"Member {member.Name} marked as vector is none.");
        return !isVector ? item
            : vector?.Dims is { Length: > 0 } dims ? new VectorDataViewType(item, dims)
            : new VectorDataViewType(item, 0);
    }

    public sealed class Column
    {
        private readonly DataViewSchema.Annotations.Builder _annotations = new();
        private readonly HashSet<string> _kinds = [];

        internal Column(string memberName, DataViewType columnType, string columnName = null)
        {
            Contracts.CheckNonEmpty(memberName, nameof(memberName));
            MemberName = memberName;
            ColumnName = columnName ?? memberName;
            ColumnType = columnType;
        }

        public string MemberName { get; }

        public string ColumnName { get; set; }

        public DataViewType ColumnType { get; set; }

        public DataViewSchema.Annotations Annotations => _annotations.ToAnnotations();

        public void AddAnnotation<T>(string kind, T value, DataViewType annotationType)
        {
            Contracts.CheckValue(kind, nameof(kind));
            Contracts.CheckValue(annotationType, nameof(annotationType));
            Contracts.Check(_kinds.Add(kind), "Column already contains an annotation of this kind.");
            if (typeof(T).IsArray)
                Types.Call<object>(AddVector<int>, annotationType.Item().RawType, kind, value, annotationType);
            else if (value is string text)
                _annotations.Add(kind, annotationType, (ref ReadOnlyMemory<char> dst) => dst = text.AsMemory());
            else
                _annotations.Add(kind, annotationType, (ref T dst) => dst = value);
        }

        internal void AddAnnotations(DataViewSchema.Annotations annotations) => _annotations.Add(annotations, _kinds.Add);

        private object AddVector<TItem>(string kind, object value, DataViewType type)
        {
            var items = value as TItem[] ?? (TItem[])(object)Array.ConvertAll((string[])value, s => s.AsMemory());
            _annotations.Add(kind, type, (ref VBuffer<TItem> dst) => VBuffer<TItem>.Copy(items, 0, ref dst, items.Length));
            return null;
        }
    }
}
