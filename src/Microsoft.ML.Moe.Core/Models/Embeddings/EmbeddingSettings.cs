using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models.Embeddings;

/// <summary>What embeddings are to be, where a folder's own answer is not wanted.</summary>
internal sealed record EmbeddingSettings
{
    /// <summary>Text to put before each text; null for that of <see cref="PromptName"/>.</summary>
    public string? Prompt { get; init; }

    /// <summary>Name of one of the folder's prompts; null for the folder's default, which may be none.</summary>
    public string? PromptName { get; init; }

    /// <summary>Longest text in tokens, special ones counted; null for the folder's.</summary>
    public int? MaximumTokens { get; init; }

    /// <summary>Ways of pooling, side by side; null for the folder's.</summary>
    public IReadOnlyList<TextPooling>? Pooling { get; init; }

    /// <summary>Whether embeddings have unit length; null for as the folder says.</summary>
    public bool? Normalize { get; init; }

    /// <summary>Layers whose pooled states are taken, side by side; null for the last.</summary>
    public IReadOnlyList<int>? Layers { get; init; }

    /// <summary>Whether router weights of all MoE layers are part of the embedding.</summary>
    public bool RouterWeights { get; init; }

    /// <summary>Whether these are the routers' logits rather than their softmax.</summary>
    public bool RouterLogits { get; init; }

    /// <summary>Whether each component is standardised.</summary>
    public bool Standardize { get; init; }

    /// <summary>Another router; null for the encoder's own.</summary>
    public Router? Router { get; init; }

    /// <summary>Folder with adapters that are worked into the encoder's weights; null for none.</summary>
    public string? AdapterFolder { get; init; }

    /// <summary>What the weights become; null for as the files have them where the model is causal, else single precision.</summary>
    public WeightPrecision? Weights { get; init; }

    /// <summary>Whether the embedding is another than the folder's, so that the folder's dense layers do not fit it.</summary>
    public bool IsAnother => Pooling is not null || Layers is not null || RouterWeights;
}
