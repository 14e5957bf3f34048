using System.Reflection;
using Microsoft.ML.Offline;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

public sealed class TextLoader
{
    private TextLoader()
    {
    }

    /// <summary>One column for each member of the class, from the fields that its LoadColumn attribute names.</summary>
    internal static Column[] ColumnsOf(Type type)
    {
        const BindingFlags visible = BindingFlags.Public | BindingFlags.Instance;
        var members = type.GetFields(visible)
            .Concat<MemberInfo>(type.GetProperties(visible).Where(p => p.GetGetMethod() != null && p.GetIndexParameters().Length == 0))
            .ToArray();
        Contracts.CheckParam(members.Length > 0, "TInput", "Should define at least one public, readable field or property in TInput.");
        return [.. members.Select(member =>
        {
            var source = member.GetCustomAttribute<LoadColumnAttribute>() ?? throw Contracts.Except(
                $"{(member is FieldInfo ? "Field" : "Property")} '{member.Name}' is missing the {nameof(LoadColumnAttribute)} attribute");
            var item = RowMember.ItemType(member, out _);
            return new Column
            {
                Name = member.GetCustomAttribute<ColumnNameAttribute>()?.Name ?? member.Name,
                Source = [.. source.Sources],
                KeyCount = member.GetCustomAttribute<KeyTypeAttribute>() is { } key ? key.KeyCount ?? new KeyCount() : null,
                DataKind = TextValues.KindOf(item) ?? throw Contracts.Except($"Member {member.Name} is of unsupported type."),
            };
        })];
    }

    public sealed class Range
    {
        public int Min;
        public int? Max;
        public bool ForceVector;

        public Range()
        {
        }

        public Range(int index)
            : this(index, index) => ForceVector = false;

        public Range(int min, int? max)
        {
            Contracts.CheckParam(min >= 0, nameof(min), "Must be non-negative");
            Contracts.CheckParam(!(max < min), nameof(max), "If specified, must be greater than or equal to min");
            Min = min;
            Max = max ?? throw new NotSupportedException("The stand-in does not load open-ended ranges.");
            ForceVector = true;
        }
    }

    public sealed class Column
    {
        public string Name;
        public Range[] Source;
        public KeyCount KeyCount;

        public Column()
        {
        }

        public Column(string name, DataKind dataKind, int index)
            : this(name, dataKind, [new Range(index)])
        {
        }

        public Column(string name, DataKind dataKind, int minIndex, int maxIndex)
            : this(name, dataKind, [new Range(minIndex, maxIndex)])
        {
        }

        public Column(string name, DataKind dataKind, Range[] source, KeyCount keyCount = null)
        {
            Contracts.CheckValue(name, nameof(name));
            Contracts.CheckValue(source, nameof(source));
            Name = name;
            DataKind = dataKind;
            Source = source;
            KeyCount = keyCount;
        }

        public DataKind DataKind { get; set; } = DataKind.Single;
    }

    public class Options
    {
        public Column[] Columns;
        public char[] Separators = ['\t'];
        public bool HasHeader;
        public bool AllowQuoting;
        public bool TrimWhitespace;
        public long? MaxRows;
    }
}
