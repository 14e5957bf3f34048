namespace Microsoft.ML.Moe.Inputs;

/// <summary>A slot whose numbers are codes of a category: each known value has a column of its own, another or a missing one has none.</summary>
internal sealed record CategorySlot
{
    /// <summary>Number of the slot.</summary>
    public required int Slot { get; init => field = OptionCheck.Range(value, 0, FeatureRow.MaximumSlots - 1, nameof(Slot)); }

    /// <summary>The values that the training set has, rising.</summary>
    public required float[] Values { get; init; }

    /// <summary>Number of a value's column, −1 for none.</summary>
    public int ColumnOf(float value) => float.IsNaN(value) ? -1 : Math.Max(-1, Array.BinarySearch(Values, value));

    /// <summary>Checks that the values are those of a category.</summary>
    /// <exception cref="ArgumentException">They are not.</exception>
    public void Check()
    {
        if (Values is not { Length: >= 2 and <= FeatureMeasurement.MostColumns } || !Array.TrueForAll(Values, float.IsFinite))
            throw new ArgumentException($"Slot {Slot} has not 2 to {FeatureMeasurement.MostColumns} finite values.", nameof(Values));
        if (!ValueEdges.Rise(Values))
            throw new ArgumentException($"The values of slot {Slot} do not rise.", nameof(Values));
    }
}
