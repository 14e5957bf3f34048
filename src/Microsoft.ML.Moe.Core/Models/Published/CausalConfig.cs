using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Layers;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// A published causal language model: pre-norm blocks whose tokens read themselves and those before them, and a norm after the last. What
/// scores the next token is a <see cref="NextTokenHead"/>.
/// </summary>
internal abstract record CausalConfig : PublishedConfig
{
    /// <summary>Name of the table, [V, D], whose products with the last states score the next token, where it is not the token table.</summary>
    public const string NextTokenWeight = "nextToken.weight";

    /// <summary>Name of what is added to these scores, [1, V].</summary>
    public const string NextTokenBias = "nextToken.bias";

    /// <summary>Name of the norm after the last block.</summary>
    private protected const string OutputNormName = "outputNorm";

    /// <summary>Factor of the token vectors before the first block.</summary>
    public float EmbeddingScale { get; init => field = OptionCheck.Range(value, 1e-6f, 1e6f, nameof(EmbeddingScale)); } = 1f;

    /// <summary>Factor of the scores of the next token.</summary>
    public float ScoreScale { get; init => field = OptionCheck.Range(value, 1e-6f, 1e6f, nameof(ScoreScale)); } = 1f;

    /// <summary>Whether each token has a bias in the scores of the next token.</summary>
    public bool HasScoreBias { get; init; }

    /// <inheritdoc/>
    internal override bool HasDenseTables => true;

    /// <inheritdoc/>
    internal override bool NormsTokens => false;

    /// <inheritdoc/>
    internal override HeadConfig WritingHead => new NextTokenHeadConfig();

    /// <summary>
    /// Whether the load-balancing loss is one of all mixtures together, as transformers has it for these models; see
    /// <see cref="Routing.LayersBalancing"/>.
    /// </summary>
    [JsonIgnore]
    internal override bool BalancesLayersTogether => true;

    /// <inheritdoc/>
    private protected override MoeSettings MoeLayerSettings => base.MoeLayerSettings with { LoadBalancingCoefficient = 0f };

    /// <summary>Creates a norm of the architecture's kind.</summary>
    private protected abstract INorm CreateNorm(ParameterStore store, string name);

    /// <inheritdoc/>
    private protected override IBlock CreateBlock(ParameterStore store, string name, IAttention attention, IFeedForward feedForward) =>
        new PreNormBlock(name, attention, feedForward, Dropout, norm => CreateNorm(store, norm));

    /// <inheritdoc/>
    private protected override INorm CreateOutputNorm(ParameterStore store) => CreateNorm(store, OutputNormName);
}
