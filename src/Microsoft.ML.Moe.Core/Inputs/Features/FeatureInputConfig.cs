using System.Text.Json.Serialization;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>What the slots of a vector of features are, as the training set showed them, and how they are encoded.</summary>
internal sealed record FeatureInputConfig : InputConfig
{
    /// <summary>Most bins of a slot's piecewise-linear encoding.</summary>
    public const int MaximumBins = 256;

    /// <summary>Largest width of a number's vector.</summary>
    public const int MaximumEmbeddingWidth = 256;

    /// <summary>Most members.</summary>
    public const int MaximumMembers = 256;

    /// <summary>Number of slots of the vector.</summary>
    public required int Slots { get; init => field = OptionCheck.Range(value, 1, FeatureRow.MaximumSlots, nameof(Slots)); }

    /// <summary>Names of all slots; null where they have none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string[]? SlotNames { get; init; }

    /// <summary>Members of the ensemble: the tokens of a row.</summary>
    public required int Members { get; init => field = OptionCheck.Range(value, 1, MaximumMembers, nameof(Members)); }

    /// <summary>Width of a number's vector; 0 takes the scaled number alone.</summary>
    public required int EmbeddingWidth { get; init => field = OptionCheck.Range(value, 0, MaximumEmbeddingWidth, nameof(EmbeddingWidth)); }

    /// <summary>Slots of many values.</summary>
    public required NumberSlot[] Numbers { get; init; }

    /// <summary>Slots of two values.</summary>
    public required BinarySlot[] Binaries { get; init; }

    /// <summary>Slots whose numbers are codes of a category.</summary>
    public CategorySlot[] Categories { get; init; } = [];

    /// <summary>Slots of which a row is told whether the value is missing.</summary>
    public required int[] MissingSlots { get; init; }

    /// <summary>Slots that have a row in a table of weights.</summary>
    public required TableSlot[] TableSlots { get; init; }

    /// <summary>Groups of slots that stand for the values of one category.</summary>
    public SlotGroup[] Groups { get; init; } = [];

    /// <summary>Columns that are used as they are: scaled numbers without a vector, numbers of two values, whether values are missing, values of categories.</summary>
    [JsonIgnore]
    public int DirectColumns => (EmbeddingWidth == 0 ? Numbers.Length : 0) + Binaries.Length + MissingSlots.Length + Categories.Sum(category => category.Values.Length);

    /// <summary>Columns of the vectors of numbers.</summary>
    [JsonIgnore]
    public int EmbeddedColumns => Numbers.Length * EmbeddingWidth;

    /// <summary>Most edges of a slot; 0 where no slot has any.</summary>
    [JsonIgnore]
    public int Edges => EmbeddingWidth == 0 || Numbers.Length == 0 ? 0 : Numbers.Max(number => number.Edges.Length);

    /// <summary>What a slot is called.</summary>
    public string NameOf(int slot) => SlotNames is { } names && names[slot].Length > 0 ? names[slot] : $"slot {slot}";

    /// <inheritdoc/>
    internal override void Check()
    {
        object?[][] lists = [Numbers, Binaries, Categories, Groups, SlotNames ?? []];
        if (lists.Any(list => list.Contains(null)))
            throw new ArgumentException("A slot, its name or a group of slots is null.", nameof(Slots));
        if (SlotNames is not null && SlotNames.Length != Slots)
            throw new ArgumentException($"There are {SlotNames.Length} names for {Slots} slots.", nameof(SlotNames));
        foreach (var number in Numbers)
            number.Check();
        foreach (var binary in Binaries)
            binary.Check();
        foreach (var category in Categories)
            category.Check();
        foreach (var slot in TableSlots)
            if (!(slot.Scale > 0f && float.IsFinite(slot.Scale)))
                throw new ArgumentException($"The scale of slot {slot.Slot} is impossible.", nameof(TableSlots));
        var encoded = Numbers.Select(n => n.Slot).Concat(Binaries.Select(b => b.Slot)).Concat(Categories.Select(c => c.Slot))
            .Concat(TableSlots.Select(t => t.Slot)).ToList();
        if (encoded.Concat(MissingSlots).Any(slot => slot < 0 || slot >= Slots) || encoded.Distinct().Count() != encoded.Count)
            throw new ArgumentException($"Slots lie within [0, {Slots}), each encoded once.", nameof(Slots));
        if (encoded.Count + MissingSlots.Length == 0)
            throw new ArgumentException("No slot tells rows apart.", nameof(Slots));
        foreach (var group in Groups)
            if (group.First < 0 || group.Last < group.First || group.Last >= Slots)
                throw new ArgumentException($"The group of slots '{group.Name}' is impossible.", nameof(Groups));
    }
}

/// <summary>Slots, one after the other, that stand for the values of one category: at most one of them is 1.</summary>
/// <param name="Name">What the category is called.</param>
/// <param name="First">First slot.</param>
/// <param name="Last">Last slot.</param>
internal sealed record SlotGroup(string Name, int First, int Last);
