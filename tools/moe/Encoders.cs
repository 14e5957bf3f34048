using Microsoft.ML.Moe;

namespace MoeTool;

/// <summary>Finds the published encoder that a user names.</summary>
internal static class Encoders
{
    /// <summary>The names of an encoder, in words.</summary>
    public const string Names = "MiniLM, ArcticXs, ResNet18, a folder, or a name on the hub";

    /// <summary>The encoder.</summary>
    /// <param name="name"><c>MiniLM</c>, <c>ArcticXs</c> or <c>arctic</c>, <c>ResNet18</c>, a folder's path, or a name in the hub's cache.</param>
    /// <exception cref="UserException">There is none of this name or path.</exception>
    public static PublishedEncoder Named(string name) => name.ToUpperInvariant() switch
    {
        "MINILM" => PublishedEncoder.MiniLM,
        "ARCTICXS" or "ARCTIC" => PublishedEncoder.ArcticXs,
        "RESNET18" => PublishedEncoder.ResNet18,
        _ when Directory.Exists(name) => PublishedEncoder.FromFolder(name),
        _ when name.Contains('/', StringComparison.Ordinal) => PublishedEncoder.FromHub(name),
        _ => throw new UserException($"There is no folder '{name}'; an encoder is {Names}."),
    };
}
