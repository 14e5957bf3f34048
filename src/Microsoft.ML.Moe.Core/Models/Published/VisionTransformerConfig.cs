using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// A published vision transformer: pre-norm transformer blocks over patches, after one or two tokens that stand for the whole image.
/// </summary>
internal abstract record VisionTransformerConfig : VisionConfig
{
    /// <summary>Whether the projections to queries, keys and values have biases.</summary>
    public bool HasAttentionBias { get; init; } = true;

    /// <inheritdoc/>
    internal override TokenEmbedding CreateEmbedding(ParameterStore store, PatchGrid grid) => new PublishedPatchEmbedding(store, grid, this);

    /// <summary>Sizes that <c>config.json</c> gives of any of them.</summary>
    /// <param name="json">The file.</param>
    /// <param name="specialTokens">Tokens before the patches.</param>
    private protected static Sizes ReadSizes(PublishedSettings json, int specialTokens)
    {
        var (height, width) = json.PairOf("image_size", 224);
        var (patch, across) = json.PairOf("patch_size", 16);
        if (patch != across)
            throw json.Refused($"patch_size {patch} × {across} is not square");
        if (patch < 1 || height % patch != 0 || width % patch != 0)
            throw json.Refused($"patches of {patch} pixels do not divide images of {width} × {height}");
        return new Sizes(width, height, patch, (long)(height / patch) * (width / patch) + specialTokens);
    }

    /// <inheritdoc/>
    private protected override IBlock CreateBlock(ParameterStore store, string name, IAttention attention, IFeedForward feedForward) =>
        new PreNormBlock(name, attention, feedForward, Dropout, norm => new LayerNorm(store, norm, Width, NormEpsilon));

    /// <inheritdoc/>
    private protected override INorm? CreateOutputNorm(ParameterStore store) => new LayerNorm(store, "outputNorm", Width, NormEpsilon);

    /// <summary>The names of the tensors that all of them have.</summary>
    /// <param name="rules">Receives them.</param>
    private protected WeightRules AddRules(WeightRules rules)
    {
        const string Layer = "encoder.layer.{l}.";
        const string Self = Layer + "attention.attention.";
        rules
            .Reshaped("embedding.patches.weight", "embeddings.patch_embeddings.projection.weight", transpose: true)
            .Reshaped("embedding.patches.bias", "embeddings.patch_embeddings.projection.bias")
            .Reshaped("embedding.tokens.0", "embeddings.cls_token")
            .Reshaped("embedding.tokens.1", "embeddings.distillation_token")
            .Reshaped("embedding.positions", "embeddings.position_embeddings")
            .Concat(
                "layers.{l}.attention.qkv.weight",
                [Self + "query.weight", Self + "key.weight", Self + "value.weight"],
                axis: 1,
                transpose: true);
        if (HasAttentionBias)
            rules.Concat("layers.{l}.attention.qkv.bias", [Self + "query.bias", Self + "key.bias", Self + "value.bias"]);
        else
            rules.Constant("layers.{l}.attention.qkv.bias", 0f);
        return rules
            .Linear("layers.{l}.attention.output", Layer + "attention.output.dense")
            .Norm("layers.{l}.attentionNorm", Layer + "layernorm_before")
            .Linear("layers.{l}.feedForward.first", Layer + "intermediate.dense")
            .Linear("layers.{l}.feedForward.second", Layer + "output.dense")
            .Norm("layers.{l}.feedForwardNorm", Layer + "layernorm_after")
            .Norm("outputNorm", "layernorm")
            .Linear("pooler", "pooler.dense")
            .Ignore("embeddings.mask_token", "pooler.*", "classifier.*", "cls_classifier.*", "distillation_classifier.*", "decoder.*");
    }

    /// <summary>Sizes that a configuration gives.</summary>
    /// <param name="Width">Pixels in a row.</param>
    /// <param name="Height">Rows of pixels.</param>
    /// <param name="Patch">Side of a patch.</param>
    /// <param name="Tokens">Tokens of an image.</param>
    private protected readonly record struct Sizes(int Width, int Height, int Patch, long Tokens)
    {
        /// <summary>Tokens, as a number that <see cref="Positions"/> takes or refuses.</summary>
        public int Positions => (int)Math.Min(Tokens, int.MaxValue);
    }
}
