namespace Microsoft.ML.Moe.Persistence;

/// <summary><c>LabelValues.json</c>: <c>{ "type": "Int32", "values": ["3", "1", …] }</c>, in the order of the classes.</summary>
/// <param name="Type">Name of the values' type.</param>
/// <param name="Values">The values, as text.</param>
internal sealed record LabelEntry(string Type, IReadOnlyList<string?> Values)
{
    /// <summary>Name of the entry.</summary>
    public const string Name = "LabelValues.json";

    private const long MaximumLength = 1L << 28;

    /// <summary>Most bytes for a value on average, so that a file cannot claim more memory than its model explains.</summary>
    private const long MaximumBytesOfValue = 1L << 16;

    /// <summary>Reads the entry, if there is one.</summary>
    /// <param name="folder">The model's folder.</param>
    /// <param name="classes">Number of the model's classes, which bounds the entry.</param>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    public static LabelEntry? ReadOrNull(ModelFolder folder, int classes) => folder.Has(Name)
        ? folder.ReadJson(Name, Math.Min(MaximumLength, (classes + 1L) * MaximumBytesOfValue), EntryJson.Default.LabelEntry)
        : null;

    /// <summary>Checks that there is a value for each class.</summary>
    /// <exception cref="InvalidDataException">There are more, or less.</exception>
    public static void CheckCount(int values, int classes)
    {
        if (values != classes)
            throw new InvalidDataException($"The model file is damaged: {values} label values for {classes} classes.");
    }
}
