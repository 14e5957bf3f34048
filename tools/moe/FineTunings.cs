using System.Globalization;
using Microsoft.ML.Moe.Training;

namespace MoeTool;

/// <summary>Makes of a word how much of a published encoder is trained.</summary>
internal static class FineTunings
{
    /// <summary>The words.</summary>
    public const string Names = "auto, none, all and a number of layers of at least 1";

    /// <summary>What a word stands for; null for none.</summary>
    public static FineTuning? Named(string name) => name.ToUpperInvariant() switch
    {
        "AUTO" => FineTuning.Auto,
        "NONE" => FineTuning.None,
        "ALL" or "ALLLAYERS" => FineTuning.AllLayers,
        _ => int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var layers) && layers > 0 ? FineTuning.TopLayers(layers) : null,
    };
}
