using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Rows;

namespace Microsoft.ML.Moe.Persistence;

/// <summary>The values of <see cref="LabelEntry"/> in the type that they have in tables.</summary>
internal static class LabelValuesFile
{
    /// <summary>Writes the file.</summary>
    public static void Write(ModelFolderWriter folder, LabelValues labels) =>
        JsonEntry.Write(folder, LabelEntry.Name, new LabelEntry(labels.Type.Name, labels.Texts));

    /// <summary>Reads the file, if there is one.</summary>
    /// <inheritdoc cref="LabelEntry.ReadOrNull"/>
    public static LabelValues? ReadOrNull(ModelFolder folder, int classes)
    {
        if (LabelEntry.ReadOrNull(folder, classes) is not { } content)
            return null;
        var type = LabelValueType.Named(content.Type)
            ?? throw new InvalidDataException($"{LabelEntry.Name} names the type '{content.Type}', which this library does not know.");
        try
        {
            return type.FromTexts([.. content.Values.Select(v => v ?? throw new FormatException("null"))]);
        }
        catch (Exception e) when (e is FormatException or OverflowException)
        {
            throw new InvalidDataException($"{LabelEntry.Name} holds a value that is no {content.Type}: the model file is damaged.", e);
        }
    }
}
