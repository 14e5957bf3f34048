using Microsoft.ML.Moe.Files;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>How a slot is encoded.</summary>
internal enum SlotKind : byte
{
    /// <summary>Not at all: it tells no rows apart, or repeats another.</summary>
    None,

    /// <summary>As a number.</summary>
    Number,

    /// <summary>As 0 or 1.</summary>
    Binary,

    /// <summary>As one column for each of its values.</summary>
    Category,

    /// <summary>As a row of a table of weights.</summary>
    Table,
}

/// <summary>Where the encoding of each slot is. Safe to use from several threads.</summary>
internal sealed class SlotPlaces
{
    private readonly NumberedValues<(SlotKind, int)> _places;
    private readonly int[] _firstOfCategories;
    private readonly Dictionary<int, int> _missing;

    public SlotPlaces(FeatureInputConfig config)
    {
        var encoded = config.Numbers.Length + config.Binaries.Length + config.Categories.Length + config.TableSlots.Length;
        _places = new NumberedValues<(SlotKind, int)>(config.Slots, encoded, share: 4);
        Set(config.Numbers.Select(number => number.Slot), SlotKind.Number);
        Set(config.Binaries.Select(binary => binary.Slot), SlotKind.Binary);
        Set(config.Categories.Select(category => category.Slot), SlotKind.Category);
        Set(config.TableSlots.Select(slot => slot.Slot), SlotKind.Table);
        _missing = config.MissingSlots.Select((slot, i) => (slot, i)).ToDictionary(pair => pair.slot, pair => pair.i);
        FirstBinary = config.EmbeddingWidth == 0 ? config.Numbers.Length : 0;
        FirstMissing = FirstBinary + config.Binaries.Length;
        _firstOfCategories = new int[config.Categories.Length];
        var column = FirstMissing + config.MissingSlots.Length;
        for (var i = 0; i < config.Categories.Length; column += config.Categories[i++].Values.Length)
            _firstOfCategories[i] = column;
        DirectOfZeros = new float[config.DirectColumns];
        for (var i = 0; i < FirstBinary; i++)
            DirectOfZeros[i] = config.Numbers[i].Scale(0f);
        for (var i = 0; i < config.Binaries.Length; i++)
            DirectOfZeros[FirstBinary + i] = config.Binaries[i].Scale(0f);
        for (var i = 0; i < config.Categories.Length; i++)
            if (config.Categories[i].ColumnOf(0f) is >= 0 and var zero)
                DirectOfZeros[_firstOfCategories[i] + zero] = 1f;
    }

    /// <summary>First of the direct columns that is of a slot of two values.</summary>
    public int FirstBinary { get; }

    /// <summary>First of the direct columns that tells whether a value is missing.</summary>
    public int FirstMissing { get; }

    /// <summary>The direct columns of a row of zeros.</summary>
    public float[] DirectOfZeros { get; }

    /// <summary>First of the direct columns of a category.</summary>
    public int FirstOfCategory(int category) => _firstOfCategories[category];

    /// <summary>How a slot is encoded, and its number among those encoded so.</summary>
    public (SlotKind Kind, int Place) Of(int slot) => _places[slot];

    /// <summary>Number of the column that tells whether a slot's value is missing; −1 for none.</summary>
    public int MissingOf(int slot) => _missing.GetValueOrDefault(slot, -1);

    private void Set(IEnumerable<int> slots, SlotKind kind)
    {
        var place = 0;
        foreach (var slot in slots)
            _places.Set(slot, (kind, place++));
    }
}
