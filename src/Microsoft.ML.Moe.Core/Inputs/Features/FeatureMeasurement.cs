namespace Microsoft.ML.Moe.Inputs;

/// <summary>Finds out, from a training set, what each slot is and how it is to be encoded.</summary>
internal sealed record FeatureMeasurement
{
    /// <summary>Rows that are measured at most; of more, as many, evenly spread.</summary>
    public const int MostRows = 1 << 17;

    /// <summary>Slots that are columns of their own; of more, those that fewest rows have go to a table of weights.</summary>
    public const int MostColumns = 4096;

    /// <summary>Numbers that have vectors where the width is chosen automatically; with more, all are used as they are.</summary>
    public const int MostEmbedded = 128;

    private const int UsualWidth = 16;

    /// <summary>Values of all measured rows together, about, at most.</summary>
    private const long MostValues = 1L << 28;

    /// <summary>Names of the slots; null where they have none.</summary>
    public IReadOnlyList<string>? SlotNames { get; init; }

    /// <summary>Runs of slots that may stand for the values of a category; those for which the rows bear it out are kept.</summary>
    public IReadOnlyList<SlotGroup> Candidates { get; init; } = [];

    /// <summary>Slots whose numbers are codes of a category.</summary>
    public IReadOnlySet<int> CategorySlots { get; init; } = new HashSet<int>();

    /// <summary>Members of the ensemble.</summary>
    public int Members { get; init; } = 8;

    /// <summary>Width of a number's vector; null chooses by how many there are.</summary>
    public int? EmbeddingWidth { get; init; }

    /// <summary>Bins of a number's piecewise-linear encoding; 0 for none.</summary>
    public int Bins { get; init; }

    /// <summary>Measures rows.</summary>
    /// <param name="rows">Rows of one number of slots, at least one.</param>
    /// <exception cref="InvalidOperationException">All rows are alike, or a category has too many values.</exception>
    public FeatureInputConfig Measure(IReadOnlyList<FeatureRow> rows)
    {
        var columns = new SlotColumns(Sample(rows));
        var duplicates = columns.Duplicates();
        var (numbers, binaries, missing) = (new List<(NumberSlot Slot, int Filled)>(), new List<(BinarySlot Slot, int Filled)>(), new List<int>());
        var categories = new List<CategorySlot>();
        for (var slot = 0; slot < columns.Slots; slot++)
        {
            if (duplicates.Contains(slot))
                continue;
            var values = SlotValues.Of(columns, slot);
            var filled = columns.ValuesOf(slot).Length;
            if (CategorySlots.Contains(slot) && values.Values.Length > 2)
            {
                categories.Add(new CategorySlot { Slot = slot, Values = values.Values });
                continue;
            }

            if (values.Missing > 0 && values.Missing < columns.Rows)
                missing.Add(slot);
            if (values.Values.Length == 2)
                binaries.Add((BinaryOf(slot, values), filled));
            else if (values.Values.Length > 2)
                numbers.Add((NumberOf(slot, values), filled));
        }

        var table = new List<TableSlot>();
        Limit(numbers, binaries, table, columns);
        var config = new FeatureInputConfig
        {
            Slots = columns.Slots,
            SlotNames = SlotNames is null ? null : [.. SlotNames],
            Members = Members,
            EmbeddingWidth = EmbeddingWidth ?? (numbers.Count <= MostEmbedded ? UsualWidth : 0),
            Numbers = [.. numbers.Select(number => number.Slot)],
            Binaries = [.. binaries.Select(binary => binary.Slot)],
            Categories = [.. categories],
            MissingSlots = [.. missing.Except(table.Select(slot => slot.Slot))],
            TableSlots = [.. table],
            Groups = [.. Candidates.Where(group => SlotGroups.IsOneHot(columns, group))],
        };
        CheckCategories(config);
        if (config.Numbers.Length + config.Binaries.Length + config.Categories.Length + config.MissingSlots.Length + config.TableSlots.Length == 0)
            throw new InvalidOperationException("All training rows have the same features: there is nothing to learn from.");
        return config;
    }

    private static IReadOnlyList<FeatureRow> Sample(IReadOnlyList<FeatureRow> rows)
    {
        var mean = Math.Max(1, rows.Sum(row => (long)row.Values.Length) / rows.Count);
        var most = (int)Math.Clamp(MostValues / mean, 1, MostRows);
        return EvenSample.Of(rows, most);
    }

    private static void CheckCategories(FeatureInputConfig config)
    {
        if (config.Categories.Sum(category => category.Values.Length) is var values && values <= MostColumns)
            return;
        var largest = config.Categories.MaxBy(category => category.Values.Length)!;
        throw new InvalidOperationException(
            $"The categories have {values} different values, {largest.Values.Length} of them '{config.NameOf(largest.Slot)}'; at most {MostColumns} are possible. Leave out what "
            + "is different in almost every row, or encode it by hashing first.");
    }

    private static BinarySlot BinaryOf(int slot, SlotValues values) => new()
    {
        Slot = slot,
        Low = values.Values[0],
        High = values.Values[1],
        Missing = values.Values[values.Counts[1] > values.Counts[0] ? 1 : 0],
    };

    private NumberSlot NumberOf(int slot, SlotValues values)
    {
        var (mean, deviation) = values.Moments();
        return new NumberSlot
        {
            Slot = slot,
            Mean = mean,
            Deviation = deviation,
            Missing = values.Median,
            Least = values.Values[0],
            Most = values.Values[^1],
            Edges = Bins == 0 || EmbeddingWidth == 0 ? [] : ValueEdges.Of(values.Values, values.Counts, Bins + 1),
        };
    }

    /// <summary>Sends the slots that fewest rows have to the table, where there are too many.</summary>
    private static void Limit(
        List<(NumberSlot Slot, int Filled)> numbers, List<(BinarySlot Slot, int Filled)> binaries, List<TableSlot> table, SlotColumns columns)
    {
        if (numbers.Count + binaries.Count <= MostColumns)
            return;
        var all = numbers.Select(n => (n.Slot.Slot, n.Filled)).Concat(binaries.Select(b => (b.Slot.Slot, b.Filled)));
        // a slot that most rows have stays, others go: a table of everything is one that learns everything at one pace
        var kept = all.Where(slot => slot.Filled * 2L >= columns.Rows).OrderByDescending(slot => slot.Filled).ThenBy(slot => slot.Slot)
            .Take(MostColumns).Select(slot => slot.Slot).ToHashSet();
        foreach (var slot in all.Select(slot => slot.Slot).Where(slot => !kept.Contains(slot)).Order())
        {
            var largest = 0f;
            foreach (var value in columns.ValuesOf(slot))
                if (float.IsFinite(value))
                    largest = Math.Max(largest, Math.Abs(value));
            if (largest > 0f && float.IsFinite(1f / largest))
                table.Add(new TableSlot { Slot = slot, Scale = 1f / largest });
        }

        numbers.RemoveAll(number => !kept.Contains(number.Slot.Slot));
        binaries.RemoveAll(binary => !kept.Contains(binary.Slot.Slot));
    }
}
