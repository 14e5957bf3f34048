using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Rows;

namespace Microsoft.ML.Moe.Persistence;

/// <summary><c>LabelValues.json</c>: <c>{ "type": "Int32", "values": ["3", "1", …] }</c>, in the order of the classes.</summary>
internal static class LabelValuesFile
{
    private const string Name = "LabelValues.json";
    private const long MaximumLength = 1L << 28;

    /// <summary>Most bytes for a value on average, so that a file cannot claim more memory than its model explains.</summary>
    private const long MaximumBytesOfValue = 1L << 16;

    /// <summary>Writes the file.</summary>
    public static void Write(ModelFolderWriter folder, LabelValues labels) =>
        JsonEntry.Write(folder, Name, new Content(labels.Type.Name, labels.Texts));

    /// <summary>Reads the file, if there is one.</summary>
    /// <param name="folder">The model's folder.</param>
    /// <param name="classes">Number of the model's classes, which bounds the file.</param>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    public static LabelValues? ReadOrNull(ModelFolderReader folder, int classes)
    {
        if (!folder.Has(Name))
            return null;
        var content = JsonEntry.Read<Content>(folder, Name, Math.Min(MaximumLength, (classes + 1L) * MaximumBytesOfValue));
        var type = LabelValueType.Named(content.Type)
            ?? throw new InvalidDataException($"{Name} names the type '{content.Type}', which this library does not know.");
        try
        {
            return type.FromTexts([.. content.Values.Select(v => v ?? throw new FormatException("null"))]);
        }
        catch (Exception e) when (e is FormatException or OverflowException)
        {
            throw new InvalidDataException($"{Name} holds a value that is no {content.Type}: the model file is damaged.", e);
        }
    }

    private sealed record Content(string Type, IReadOnlyList<string?> Values);
}
