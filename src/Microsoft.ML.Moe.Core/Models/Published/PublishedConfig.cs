using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// The architecture of an encoder that others have published, as its <c>config.json</c> says: transformer blocks, post-norm unless a
/// derived record says otherwise, over the vectors of a vocabulary of its own. All blocks are dense unless it is a mixture, or has been made one.
/// </summary>
internal abstract record PublishedConfig : EncoderConfig
{
    private const int MostTokenIds = 1 << 24;
    private const int MostPositions = 1 << 20;

    /// <summary>Creates a dense encoder.</summary>
    private protected PublishedConfig() => MoeEvery = 0;

    /// <summary>Name of the architecture, for people.</summary>
    internal abstract string Architecture { get; }

    /// <summary>Rows of the token table, V; 0 where rows are images.</summary>
    public required int VocabularySize { get; init => field = OptionCheck.Range(value, FewestTokenIds, MostTokenIds, nameof(VocabularySize)); }

    /// <summary>Rows of the table of positions, or the longest row where there is none.</summary>
    public required int Positions { get; init => field = OptionCheck.Range(value, 1, MostPositions, nameof(Positions)); }

    /// <summary>Rows of the table of token types; 0 for none.</summary>
    public int TokenTypes { get; init => field = OptionCheck.Range(value, 0, 1024, nameof(TokenTypes)); }

    /// <summary>Id of the token that stands for padding.</summary>
    public int PaddingId { get; init => field = OptionCheck.Range(value, 0, MostTokenIds - 1, nameof(PaddingId)); }

    /// <summary>Added to the variance in layer normalisation.</summary>
    public float NormEpsilon { get; init => field = OptionCheck.Range(value, 0f, 1f, nameof(NormEpsilon)); } = 1e-12f;

    /// <summary>Activation of the feed-forward networks.</summary>
    public Activation Activation { get; init => field = OptionCheck.Defined(value, nameof(Activation)); } = Activation.GeluErf;

    /// <summary>Rate at which attention probabilities are dropped while training, within [0, 1).</summary>
    public float AttentionDropout { get; init => field = OptionCheck.Rate(value, nameof(AttentionDropout)); } = 0.1f;

    /// <summary>Whether the decoder of masked language modelling is the token table.</summary>
    public bool TiesDecoder { get; init; } = true;

    /// <summary>
    /// Layers before the blocks that fine-tuning counts as layers too and trains as it does blocks: the parameters of the n-th begin with
    /// <c>embedding.layers.n</c>, from 0.
    /// </summary>
    [JsonIgnore]
    internal virtual int EmbeddingLayers => 0;

    /// <summary>Multiply-adds of one layer for each token, as fine-tuning counts them.</summary>
    [JsonIgnore]
    internal virtual double CostOfLayer => (double)Width * (4 * Width + 2 * FeedForwardWidth);

    /// <summary>Activation between the two layers that score the classes of a published classifier.</summary>
    internal virtual Activation ClassifierActivation => Activation.Tanh;

    /// <inheritdoc/>
    private protected override (int Width, int Layers) Most => (32768, 512);

    /// <summary>Least rows of the token table.</summary>
    private protected virtual int FewestTokenIds => 1;

    /// <summary>The head by which it writes text; null for an encoder, which writes none.</summary>
    internal virtual HeadConfig? WritingHead => null;

    /// <summary>Whether an encoder reads the prompt, and a decoder writes.</summary>
    [JsonIgnore]
    internal virtual bool IsEncoderDecoder => false;

    /// <summary>The head of masked language modelling that is published with it.</summary>
    internal virtual MaskedTokenHeadConfig MaskedTokens => new(VocabularySize) { Activation = Activation, NormEpsilon = NormEpsilon };

    /// <summary>Tokens that a row can have, special tokens counted.</summary>
    internal virtual int MaximumTokens => Positions;

    /// <summary>What the table of token vectors is called in a published file.</summary>
    [JsonIgnore]
    internal IReadOnlyCollection<string> TokenTables =>
        [.. CreateRules().Expect(TokenIdEmbedding.WordsName, [VocabularySize, Width]).Select(tensor => tensor.Name)];

    /// <summary>The layers that make token vectors of ids.</summary>
    internal virtual TokenEmbedding CreateTokenEmbedding(ParameterStore store) => new TokenIdEmbedding(store, this);

    /// <summary>Where the weights of embedding and blocks are in a published file; heads of such files are ignored.</summary>
    internal abstract WeightRules CreateRules();

    /// <summary>
    /// The id of padding, which is its position too, where positions count the tokens that are no padding and begin behind that; null where
    /// they count all tokens, from 0.
    /// </summary>
    internal virtual int? PaddingOfPositions => null;

    /// <summary>Position of each token of a row.</summary>
    /// <param name="ids">Ids of the row.</param>
    /// <param name="positions">Receives as many positions.</param>
    internal void FillPositions(ReadOnlySpan<int> ids, Span<int> positions)
    {
        var (padding, count) = (PaddingOfPositions, 0);
        for (var i = 0; i < positions.Length; i++)
            positions[i] = padding is not { } id ? i : ids[i] == id ? id : id + ++count;
    }

    /// <summary>Whether positions are looked up in a table.</summary>
    internal virtual bool HasPositionTable => true;

    /// <summary>Whether token vectors are normalised before the first block.</summary>
    internal virtual bool NormsTokens => true;

    /// <summary>Form of the feed-forward network of a block.</summary>
    internal virtual FeedForwardSettings FeedForward => new(Activation);

    /// <inheritdoc/>
    internal override (int Dense, int Expert) ProductsOfFeedForward =>
        (FeedForward.HasGate ? 3 : 2, MoeLayerSettings.Expert.HasGate ? 3 : 2);

    /// <summary>Form of the experts of a block that has them, and what goes with them.</summary>
    private protected virtual MoeSettings MoeLayerSettings => MoeSettings with { Expert = FeedForward };

    /// <inheritdoc/>
    internal override Encoder CreateEncoder(ParameterStore store)
    {
        var attentionOf = AttentionOf(store);
        var moe = Mixture?.Apply(MoeLayerSettings) ?? MoeLayerSettings;
        return new Encoder([.. Enumerable.Range(0, Layers).Select(Block)], CreateOutputNorm(store));

        IBlock Block(int layer)
        {
            var name = $"layers.{layer}";
            var attention = attentionOf(name + ".attention", layer);
            IFeedForward feedForward = HasExperts(layer)
                ? new MoeLayer(store, name + ".moe", layer, Width, ExpertWidth, moe, outputGain: 1f)
                : new DenseFeedForward(store, name + ".feedForward", Width, FeedForwardWidth, outputGain: 1f, FeedForward);
            return CreateBlock(store, name, attention, feedForward);
        }
    }

    /// <summary>Joins the halves of a block.</summary>
    private protected virtual IBlock CreateBlock(ParameterStore store, string name, IAttention attention, IFeedForward feedForward) =>
        new PostNormBlock(store, name, Width, attention, feedForward, Dropout, NormEpsilon);

    /// <summary>Makes the norm after the last block; null for none.</summary>
    private protected virtual INorm? CreateOutputNorm(ParameterStore store) => null;

    /// <summary>Makes the attention of a block, given what the names of its parameters begin with, and the block's number.</summary>
    private protected virtual Func<string, int, IAttention> AttentionOf(ParameterStore store) =>
        (name, _) => new SelfAttention(store, name, Width, Heads, outputGain: 1f, AttentionDropout);
}
