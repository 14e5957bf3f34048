namespace Microsoft.ML.Moe.Inputs;

/// <summary>Runs of slots that stand for the values of one category, as one-hot encoding makes them.</summary>
internal static class SlotGroups
{
    private const char Separator = '.';

    /// <summary>Runs of slots with one name before the last point, which is how ML.NET names what it joins: <c>Colour.Red</c>, <c>Colour.Blue</c>.</summary>
    /// <param name="names">Names of all slots.</param>
    public static IReadOnlyList<SlotGroup> ByName(IReadOnlyList<string> names)
    {
        var groups = new List<SlotGroup>();
        for (var first = 0; first < names.Count;)
        {
            var name = PrefixOf(names[first]);
            var next = first + 1;
            while (next < names.Count && name is not null && PrefixOf(names[next]) == name)
                next++;
            if (name is not null && next - first > 1)
                groups.Add(new SlotGroup(name, first, next - 1));
            first = next;
        }

        return groups;
    }

    /// <summary>Whether all values of a group are 0 or 1, and no row has more than one 1.</summary>
    public static bool IsOneHot(SlotColumns columns, SlotGroup group)
    {
        var seen = new bool[columns.Rows];
        for (var slot = group.First; slot <= group.Last; slot++)
        {
            if (columns.ValuesOf(slot).ContainsAnyExcept(1f))
                return false;
            foreach (var row in columns.RowsOf(slot))
            {
                if (seen[row])
                    return false;
                seen[row] = true;
            }
        }

        return true;
    }

    private static string? PrefixOf(string name)
    {
        var end = name.IndexOf(Separator, StringComparison.Ordinal);
        return end > 0 ? name[..end] : null;
    }
}
