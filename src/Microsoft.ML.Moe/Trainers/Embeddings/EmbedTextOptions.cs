using Microsoft.ML.Moe.Models.Embeddings;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe;

/// <summary>
/// How texts become embeddings. With the defaults everything is as the encoder's own files say, and the embeddings are those of
/// sentence-transformers.
/// </summary>
/// <example>
/// <code language="csharp"><![CDATA[
/// var options = new EmbedTextOptions { PromptName = "query", MaximumTokens = 128 };
/// ]]></code>
/// </example>
public sealed record EmbedTextOptions
{
    /// <summary>
    /// Text to put before each text, as it is: no space is added. "" puts none. null, the default, takes that of <see cref="PromptName"/>.
    /// </summary>
    public string? Prompt { get; init; }

    /// <summary>
    /// Name of one of the encoder's prompts. Every encoder has <c>query</c> and <c>document</c>, perhaps empty. null, the default, takes the
    /// one that the encoder calls its default, mostly none.
    /// </summary>
    public string? PromptName { get; init; }

    /// <summary>
    /// Longest text in tokens, special ones counted; what lies beyond is cut off. Within [2, 2²⁰]; more than the encoder can read counts as
    /// what it can. null, the default, takes the encoder's own limit.
    /// </summary>
    public int? MaximumTokens { get; init => field = OptionCheck.Range(value, 2, 1 << 20, nameof(MaximumTokens)); }

    /// <summary>
    /// How tokens are pooled; the results of several ways stand side by side. null, the default, for the encoder's own, which is the last token
    /// of a causal model, and the mean of another one, where its folder does not tell.
    /// </summary>
    public IReadOnlyList<TextPooling>? Pooling { get; init; }

    /// <summary>Whether embeddings have unit length. null, the default, for as the encoder says.</summary>
    public bool? Normalize { get; init; }

    /// <summary>
    /// Layers whose pooled states stand side by side in the embedding: 0 the token vectors, l the states after l blocks. null, the default,
    /// takes the last.
    /// </summary>
    public IReadOnlyList<int>? Layers { get; init; }

    /// <summary>
    /// Whether the router weights of all MoE layers, softmax of the routers' logits, pooled like the states, follow them in the embedding:
    /// MoE embeddings (Li and Zhou 2024, arXiv 2410.10814; USMoE, arXiv 2503.22996). Only for an encoder that is a mixture. Default false.
    /// </summary>
    public bool RouterWeights { get; init; }

    /// <summary>
    /// Whether the routers' logits themselves follow the states, not their softmax: so the program of MoE embeddings has it for most models.
    /// Only with <see cref="RouterWeights"/>. Default false.
    /// </summary>
    public bool RouterLogits { get; init; }

    /// <summary>
    /// Whether each component minus its mean is divided by its deviation, both of the rows that <c>Fit</c> sees; so that states and router
    /// weights weigh alike. Default false.
    /// </summary>
    public bool Standardize { get; init; }

    /// <summary>Another router for the encoder's experts. null, the default, for its own. Only for an encoder that is a mixture.</summary>
    public Router? Router { get; init; }

    /// <summary>
    /// Folder with low-rank adapters that the library peft, or <c>SaveAdapters</c> of a transformer, has written for the encoder; they are
    /// worked into its weights. null, the default, for none.
    /// </summary>
    public string? AdapterFolder
    {
        get;
        init => field = value != "" ? value : throw new ArgumentException(
            $"{nameof(AdapterFolder)} is empty: give the folder's path, or null for no adapters.", nameof(AdapterFolder));
    }

    /// <summary>
    /// What the weight matrices are in memory. null, the default, is <see cref="WeightPrecision.AsStored"/> for a causal model, and
    /// <see cref="WeightPrecision.Float32"/> for an encoder, or with <see cref="AdapterFolder"/>, which asks for it.
    /// </summary>
    public WeightPrecision? Weights
    {
        get;
        init => field = value is { } precision ? OptionCheck.Defined(precision, nameof(Weights)) : null;
    }

    /// <summary>
    /// What the weight matrices that are in single precision in memory are in the model zip; matrices in other types are as they are.
    /// <see cref="ElementType.BFloat16"/> halves the zip; embeddings of the loaded model then differ by up to 1e-2. Default
    /// <see cref="ElementType.Float32"/>.
    /// </summary>
    public ElementType StoredWeights { get; init => field = OptionCheck.Saved(value, nameof(StoredWeights)); }

    /// <summary>Where the encoder runs. Default <see cref="MoeDevice.Automatic"/>.</summary>
    public MoeDevice Device { get; init => field = OptionCheck.Defined(value, nameof(Device)); }

    /// <summary>
    /// Threads of the managed engine, within [1, 1024]; null, the default, takes what AppContext has as Microsoft.ML.Moe.Threads, or else all CPUs.
    /// </summary>
    public int? Threads { get; init => field = OptionCheck.Range(value, 1, 1024, nameof(Threads)); }

    /// <summary>The options as the encoder takes them.</summary>
    internal EmbeddingSettings ToSettings() => new()
    {
        Prompt = Prompt,
        PromptName = PromptName,
        MaximumTokens = MaximumTokens,
        Pooling = Pooling,
        Normalize = Normalize,
        Layers = Layers,
        RouterWeights = RouterWeights,
        RouterLogits = RouterLogits,
        Standardize = Standardize,
        Router = Router,
        AdapterFolder = AdapterFolder,
        Weights = Weights,
    };
}
