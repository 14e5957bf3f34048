using Microsoft.ML.Moe.Layers;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// A published causal language model, read as an encoder: pre-norm blocks whose tokens read themselves and those before them, and a norm after
/// the last. What scores the next token is a product of the last states with <see cref="NextTokenWeight"/>.
/// </summary>
internal abstract record CausalConfig : PublishedConfig
{
    /// <summary>Name of the matrix, [D, V], that scores the next token.</summary>
    public const string NextTokenWeight = "nextToken.weight";

    /// <inheritdoc/>
    internal override bool NormsTokens => false;

    /// <summary>Creates a norm of the architecture's kind.</summary>
    private protected abstract INorm CreateNorm(ParameterStore store, string name);

    /// <inheritdoc/>
    private protected override IBlock CreateBlock(ParameterStore store, string name, IAttention attention, IFeedForward feedForward) =>
        new PreNormBlock(name, attention, feedForward, Dropout, norm => CreateNorm(store, norm));

    /// <inheritdoc/>
    private protected override INorm CreateOutputNorm(ParameterStore store) => CreateNorm(store, "outputNorm");
}
