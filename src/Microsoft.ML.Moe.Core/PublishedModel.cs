using Microsoft.ML.Moe.Models.Published;

namespace Microsoft.ML.Moe;

/// <summary>
/// A published model that writes text, such as OLMoE, Mixtral or Switch Transformers: a folder with the files of its repository on the Hugging
/// Face hub. Nothing is downloaded.
/// </summary>
/// <example>
/// <code language="csharp">
/// var model = PublishedModel.FromFolder("models/OLMoE-1B-7B-0924-Instruct");
/// var adapted = model.WithAdapters("adapters");
/// </code>
/// </example>
public sealed record PublishedModel
{
    private PublishedModel(string name, bool isOnHub) => (Name, IsOnHub) = (name, isOnHub);

    /// <summary>What the model is called: its name on the hub, or the folder's path.</summary>
    public string Name { get; }

    /// <summary>Path of a folder with low-rank adapters that go with the model; null for none.</summary>
    public string? AdapterFolder { get; private init; }

    /// <summary>Whether these adapters are worked into the weights when the model is loaded.</summary>
    public bool MergesAdapters { get; private init; }

    /// <summary>Whether the model is loaded with adapters beside its weights.</summary>
    internal bool KeepsAdapters => AdapterFolder is not null && !MergesAdapters;

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

    /// <summary>
    /// This model with low-rank adapters that the library peft, or <c>SaveAdapters</c> of a transformer, has written for it.
    /// </summary>
    /// <param name="path">
    /// Path of their folder, with <c>adapter_config.json</c> and <c>adapter_model.safetensors</c>. Read when the model is first needed; files
    /// that are damaged, do not fit the model or ask for what is not supported are an <see cref="InvalidDataException"/> then, which says
    /// what it is.
    /// </param>
    /// <param name="merges">
    /// Whether they are worked into the weights, W + scaling·(A·B): the model then costs no more than without them, those weights take single
    /// precision or bfloat16 in memory, and a training trains it as it would any other. By default they stay beside the weights, and are what
    /// a training goes on with.
    /// </param>
    /// <exception cref="ArgumentException">The path is empty.</exception>
    public PublishedModel WithAdapters(string path, bool merges = false)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return this with { AdapterFolder = path, MergesAdapters = merges };
    }

    /// <summary>The name, and where its adapters are.</summary>
    public override string ToString() => AdapterFolder is null ? Name : $"{Name} with the adapters in {AdapterFolder}";

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
