using System.Diagnostics.CodeAnalysis;
using Microsoft.ML.Moe.Models.Published;

namespace Microsoft.ML.Moe;

/// <summary>
/// A published encoder of texts or images to start from: one that a package carries, or a folder with files of Hugging Face's or of
/// sentence-transformers. Nothing is downloaded.
/// </summary>
/// <example>
/// <code language="sh">dotnet add package MlNetMoe.MiniLM</code>
/// <code language="csharp">
/// var encoder = PublishedEncoder.MiniLM;
/// </code>
/// </example>
public sealed record PublishedEncoder
{
    // where the packages put encoders, beside the application
    private const string PackagedFolder = "encoders";
    private const string ConfigFile = "config.json";

    private readonly string? _package;
    private readonly string? _folder;
    private readonly bool _isOnHub;

    private PublishedEncoder(string name, string? package = null, string? folder = null, bool isOnHub = false) =>
        (Name, _package, _folder, _isOnHub) = (name, package, folder, isOnHub);

    /// <summary>
    /// all-MiniLM-L6-v2, of the package MlNetMoe.MiniLM: English sentences, 6 layers, 384 numbers, 22.7 million parameters, at most 256
    /// tokens.
    /// </summary>
    public static PublishedEncoder MiniLM { get; } = new("all-MiniLM-L6-v2", "MlNetMoe.MiniLM");

    /// <summary>
    /// snowflake-arctic-embed-xs, of the package MlNetMoe.ArcticXs: English search, 6 layers, 384 numbers, 22.6 million parameters, at
    /// most 512 tokens; queries have a prompt.
    /// </summary>
    public static PublishedEncoder ArcticXs { get; } = new("snowflake-arctic-embed-xs", "MlNetMoe.ArcticXs");

    /// <summary>
    /// ResNet-18, of the package MlNetMoe.ResNet18: photographs of 224 × 224 pixels, or other multiples of 32, 512 numbers, 15.9 million
    /// parameters.
    /// </summary>
    public static PublishedEncoder ResNet18 { get; } = new("resnet-18", "MlNetMoe.ResNet18");

    /// <summary>What the encoder is called: the published model's name, or the folder's path.</summary>
    public string Name { get; }

    /// <summary>An encoder in a folder.</summary>
    /// <param name="path">
    /// Path of the folder, with <c>config.json</c>, <c>model.safetensors</c> or its shards, and the tokenizer's files. Read when the
    /// encoder is first needed.
    /// </param>
    /// <exception cref="ArgumentException">The path is empty.</exception>
    public static PublishedEncoder FromFolder(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return new PublishedEncoder(path, folder: path);
    }

    /// <summary>
    /// An encoder of the Hugging Face hub, out of the folder in which the hub's programs keep what they have fetched: nothing is downloaded.
    /// </summary>
    /// <param name="name">
    /// Its name on the hub, such as <c>sentence-transformers/all-mpnet-base-v2</c>. Looked for when the encoder is first needed; where it is not
    /// there, the error says what to fetch.
    /// </param>
    /// <exception cref="ArgumentException">The name is empty.</exception>
    public static PublishedEncoder FromHub(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return new PublishedEncoder(name, isOnHub: true);
    }

    /// <summary>The name.</summary>
    public override string ToString() => Name;

    /// <summary>Finds the encoder's files.</summary>
    /// <returns>Full path of the folder, which has a <c>config.json</c>.</returns>
    /// <exception cref="DirectoryNotFoundException">
    /// There is no such folder, or the package is not there; the message says what to do.
    /// </exception>
    /// <exception cref="FileNotFoundException">The folder has no <c>config.json</c>, or the hub's cache no such model.</exception>
    [UnconditionalSuppressMessage("SingleFile", "IL3000", Justification = "A single file lies beside the packaged encoders, as AppContext.BaseDirectory says.")]
    internal string ResolveFolder() => _isOnHub ? PublishedFolder.Find(Name)
        : _package is null ? Checked(Path.GetFullPath(_folder!))
        : FindPackaged([AppContext.BaseDirectory, Path.GetDirectoryName(typeof(PublishedEncoder).Assembly.Location)]);

    /// <summary>As <see cref="ResolveFolder"/>, for an encoder of a package: beside any of these.</summary>
    internal string FindPackaged(IEnumerable<string?> places)
    {
        // The library's own folder is another than the application's where a host has loaded it; a single file has none.
        List<string> folders =
            [.. places.Where(place => !string.IsNullOrEmpty(place)).Select(place => Path.Combine(place!, PackagedFolder, Name)).Distinct()];
        return folders.Find(folder => File.Exists(Path.Combine(folder, ConfigFile)))
            ?? throw new DirectoryNotFoundException(
                $"The encoder {Name} is not there: no folder {string.Join(" nor ", folders)}. Add its package to the application: " +
                $"dotnet add package {_package}");
    }

    private static string Checked(string folder)
    {
        if (!Directory.Exists(folder))
            throw new DirectoryNotFoundException($"There is no folder {folder} with an encoder.");
        return File.Exists(Path.Combine(folder, ConfigFile))
            ? folder
            : throw new FileNotFoundException($"{folder} holds no encoder: it has no {ConfigFile}.", Path.Combine(folder, ConfigFile));
    }
}
