using System.ComponentModel;
using System.Globalization;
using System.Text.Json;

namespace MoeTool.Settings;

/// <summary>Reads the name of an enumeration's value, as written in C# or in small letters with hyphens.</summary>
internal sealed class NameConverter<T> : TypeConverter
    where T : struct, Enum
{
    private static readonly Dictionary<string, T> ByName = Enum.GetValues<T>()
        .SelectMany(value => new[] { (Hyphened(value), value), (value.ToString(), value) })
        .DistinctBy(name => name.Item1, StringComparer.OrdinalIgnoreCase)
        .ToDictionary(name => name.Item1, name => name.value, StringComparer.OrdinalIgnoreCase);

    public override bool CanConvertFrom(ITypeDescriptorContext? context, Type sourceType) => sourceType == typeof(string);

    public override object ConvertFrom(ITypeDescriptorContext? context, CultureInfo? culture, object value) =>
        ByName.TryGetValue((string)value, out var found)
            ? found
            : throw new FormatException($"Possible are {string.Join(", ", Enum.GetValues<T>().Select(Hyphened))}, not '{value}'.");

    private static string Hyphened(T value) => JsonNamingPolicy.KebabCaseLower.ConvertName(value.ToString());
}

/// <summary>Reads a whole number.</summary>
internal sealed class WholeNumber : TypeConverter
{
    public override bool CanConvertFrom(ITypeDescriptorContext? context, Type sourceType) => sourceType == typeof(string);

    public override object ConvertFrom(ITypeDescriptorContext? context, CultureInfo? culture, object value) =>
        int.TryParse((string)value, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw new FormatException($"A whole number is needed, not '{value}'.");
}

/// <summary>Reads a number, with a point before its fraction.</summary>
internal sealed class RealNumber : TypeConverter
{
    public override bool CanConvertFrom(ITypeDescriptorContext? context, Type sourceType) => sourceType == typeof(string);

    public override object ConvertFrom(ITypeDescriptorContext? context, CultureInfo? culture, object value) =>
        double.TryParse((string)value, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw new FormatException($"A number is needed, not '{value}'.");
}

/// <summary>Reads how much of an encoder is trained.</summary>
internal sealed class FineTuningConverter : TypeConverter
{
    public override bool CanConvertFrom(ITypeDescriptorContext? context, Type sourceType) => sourceType == typeof(string);

    public override object ConvertFrom(ITypeDescriptorContext? context, CultureInfo? culture, object value) =>
        FineTunings.Named((string)value) ?? throw new FormatException($"Possible are {FineTunings.Names}, not '{value}'.");
}
