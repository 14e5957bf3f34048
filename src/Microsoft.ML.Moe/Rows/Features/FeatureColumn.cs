using System.Globalization;
using Microsoft.ML.Data;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Scoring;

namespace Microsoft.ML.Moe.Rows;

/// <summary>The column of a vector of features, as a training set has it.</summary>
/// <param name="Slots">Size of the vector.</param>
/// <param name="SlotNames">Names of the slots; null where they have none.</param>
/// <param name="Groups">Runs of slots that are said to stand for the values of a category.</param>
internal sealed record FeatureColumn(int Slots, string[]? SlotNames, IReadOnlyList<SlotGroup> Groups)
{
    private const string Wanted = "a vector of Single of known size, as mlContext.Transforms.Concatenate gives it";

    /// <summary>Finds the column.</summary>
    /// <param name="schema">The table.</param>
    /// <param name="name">Name of the column.</param>
    /// <param name="slots">Size that it must have; null for any.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is missing, of the wrong type, or of another size.</exception>
    public static DataViewSchema.Column Find(NamedSchema schema, string name, int? slots = null)
    {
        var column = InputColumns.Find(schema, name, "feature");
        if (column.Type is not VectorDataViewType { IsKnownSize: true } vector || vector.ItemType != NumberDataViewType.Single)
            throw InputColumns.WrongType(name, "feature", column.Type, Wanted, schema.Table);
        return slots is null || vector.Size == slots
            ? column
            : throw new ArgumentOutOfRangeException(
                $"The feature column '{name}' of the {schema.Table.Text} has {vector.Size} slots; the model was trained on {slots}. Use the chain that the model was trained in.",
                innerException: null);
    }

    /// <summary>Checks the column that a schema promises.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is missing or of the wrong type.</exception>
    public static void Check(NamedShape schema, string name)
    {
        var column = InputColumns.Find(schema, name, "feature");
        if (column.IsKey || column.Kind != SchemaShape.Column.VectorKind.Vector || column.ItemType != NumberDataViewType.Single)
            throw InputColumns.WrongType(name, "feature", InputColumns.TypeOf(column), Wanted, schema.Table);
    }

    /// <summary>What a training set says of the column.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is missing, of the wrong type, or has too many slots.</exception>
    public static FeatureColumn Of(NamedSchema schema, string name)
    {
        var column = Find(schema, name);
        var slots = ((VectorDataViewType)column.Type).Size;
        if (slots > FeatureRow.MaximumSlots)
            throw new ArgumentOutOfRangeException(
                $"The feature column '{name}' has {slots} slots; at most {FeatureRow.MaximumSlots} are possible.", innerException: null);
        var names = NamesOf(column, slots);
        var groups = RangesOf(column, slots, names);
        return new FeatureColumn(slots, names, groups.Count > 0 || names is null ? groups : SlotGroups.ByName(names));
    }

    /// <summary>Numbers of slots that are named.</summary>
    /// <param name="named">Names of slots, or their numbers.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such slot.</exception>
    public IReadOnlySet<int> SlotsOf(IReadOnlyList<string> named)
    {
        var slots = new HashSet<int>();
        foreach (var name in named)
        {
            var slot = SlotNames is null ? -1 : Array.IndexOf(SlotNames, name);
            if (slot < 0 && !(int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out slot) && slot < Slots))
            {
                throw new ArgumentOutOfRangeException(
                    $"{nameof(MoeFeatureOptions.CategoricalSlots)} has '{name}', which is neither the name of a slot nor a number below {Slots}."
                    + (SlotNames is null ? " The slots have no names." : ""),
                    innerException: null);
            }

            slots.Add(slot);
        }

        return slots;
    }

    private static string[]? NamesOf(DataViewSchema.Column column, int slots)
    {
        if (!column.HasSlotNames())
            return null;
        VBuffer<ReadOnlyMemory<char>> names = default;
        column.GetSlotNames(ref names);
        return names.Length == slots ? [.. names.DenseValues().Select(name => name.ToString())] : null;
    }

    /// <summary>What one-hot encoding and the like have written of the column: pairs of the first and last slot of each category.</summary>
    private static List<SlotGroup> RangesOf(DataViewSchema.Column column, int slots, string[]? names)
    {
        var groups = new List<SlotGroup>();
        if (column.Annotations.Schema.GetColumnOrNull(Annotation.CategoricalSlotRanges)?.Type is not VectorDataViewType { ItemType: var item }
            || item != NumberDataViewType.Int32)
            return groups;
        VBuffer<int> ranges = default;
        column.Annotations.GetValue(Annotation.CategoricalSlotRanges, ref ranges);
        int[] ends = [.. ranges.DenseValues()];
        for (var i = 0; i + 1 < ends.Length; i += 2)
        {
            var (first, last) = (ends[i], ends[i + 1]);
            if (first >= 0 && first <= last && last < slots)
                groups.Add(new SlotGroup(names is null ? $"slots {first}–{last}" : CommonStart(names[first], names[last]), first, last));
        }

        return groups;
    }

    private static string CommonStart(string one, string other)
    {
        var point = one.IndexOf('.', StringComparison.Ordinal);
        return point > 0 && other.StartsWith(one[..(point + 1)], StringComparison.Ordinal) ? one[..point] : $"{one}–{other}";
    }
}
