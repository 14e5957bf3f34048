using Microsoft.ML.Moe.Models.Published;

namespace Microsoft.ML.Moe;

/// <summary>
/// A published model that writes text, such as OLMoE, Mixtral or Switch Transformers: a folder with the files of its repository on the Hugging
/// Face hub. Nothing is downloaded.
/// </summary>
/// <example>
/// <code language="csharp">
/// var model = PublishedModel.FromFolder("models/OLMoE-1B-7B-0924-Instruct");
/// </code>
/// </example>
public sealed record PublishedModel
{
    private PublishedModel(string name, bool isOnHub) => (Name, IsOnHub) = (name, isOnHub);

    /// <summary>What the model is called: its name on the hub, or the folder's path.</summary>
    public string Name { get; }

    /// <summary>Whether it is looked for in the hub's cache.</summary>
    internal bool IsOnHub { get; }

    /// <summary>A model in a folder.</summary>
    /// <param name="path">
    /// Path of the folder, with <c>config.json</c>, <c>model.safetensors</c> or its shards, the tokenizer's files and, where the model has
    /// one, <c>generation_config.json</c>. Read when the model is first needed.
    /// </param>
    /// <exception cref="ArgumentException">The path is empty.</exception>
    public static PublishedModel FromFolder(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return new PublishedModel(path, isOnHub: false);
    }

    /// <summary>
    /// A model of the Hugging Face hub, out of the folder in which the hub's programs keep what they have fetched: nothing is downloaded.
    /// </summary>
    /// <param name="name">
    /// Its name on the hub, such as <c>allenai/OLMoE-1B-7B-0924</c>. Looked for when the model is first needed; where it is not there, the
    /// error says what to fetch.
    /// </param>
    /// <exception cref="ArgumentException">The name is empty.</exception>
    public static PublishedModel FromHub(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return new PublishedModel(name, isOnHub: true);
    }

    /// <summary>The name.</summary>
    public override string ToString() => Name;

    /// <summary>Finds the model's files.</summary>
    /// <returns>Full path of the folder.</returns>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FileNotFoundException">The hub's cache has no such model; the message says what to fetch.</exception>
    internal string ResolveFolder()
    {
        if (IsOnHub)
            return PublishedFolder.Find(Name);
        var folder = Path.GetFullPath(Name);
        return Directory.Exists(folder) ? folder : throw new DirectoryNotFoundException($"There is no folder {folder} with a model.");
    }
}
