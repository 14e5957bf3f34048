using Microsoft.ML.Moe;

namespace MoeTool;

/// <summary>Finds published models that write text by what users call them.</summary>
internal static class PublishedModels
{
    /// <summary>A model by its folder, or by its name on the hub.</summary>
    /// <param name="name">The folder or the name.</param>
    /// <param name="adapters">Folder with adapters beside its weights; null for none.</param>
    public static PublishedModel Named(string name, string? adapters = null)
    {
        var model = Directory.Exists(name) || !name.Contains('/', StringComparison.Ordinal)
            ? PublishedModel.FromFolder(name)
            : PublishedModel.FromHub(name);
        return adapters is null ? model : model.WithAdapters(adapters);
    }
}
