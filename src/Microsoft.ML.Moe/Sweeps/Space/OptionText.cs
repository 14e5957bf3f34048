using System.Globalization;
using System.Text.Json.Nodes;

namespace Microsoft.ML.Moe.Sweeps.Space;

/// <summary>Values of options as they stand in journals, messages and tables.</summary>
internal static class OptionText
{
    /// <summary>A value as text: numbers so that they can be read back exactly.</summary>
    public static string Of(object? value) => value switch
    {
        null => "null",
        float number => number.ToString("R", CultureInfo.InvariantCulture),
        double number => number.ToString("R", CultureInfo.InvariantCulture),
        bool flag => flag ? "true" : "false",
        IFormattable formattable => formattable.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString() ?? "",
    };

    /// <summary>A value as JSON: numbers and truth values as such, anything else as text.</summary>
    public static JsonNode? ToJson(object? value) => value switch
    {
        null => null,
        int number => JsonValue.Create(number),
        long number => JsonValue.Create(number),
        float number => JsonValue.Create(number),
        double number => JsonValue.Create(number),
        bool flag => JsonValue.Create(flag),
        _ => JsonValue.Create(Of(value)),
    };
}
