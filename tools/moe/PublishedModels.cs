using Microsoft.ML.Moe;

namespace MoeTool;

/// <summary>Finds published models that write text by what users call them.</summary>
internal static class PublishedModels
{
    /// <summary>A model by its folder, or by its name on the hub.</summary>
    public static PublishedModel Named(string name) => Directory.Exists(name) || !name.Contains('/', StringComparison.Ordinal)
        ? PublishedModel.FromFolder(name)
        : PublishedModel.FromHub(name);
}
