using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// A published encoder–decoder of T5's family (Raffel et al. 2020, "Exploring the limits of transfer learning"): the encoder's blocks are
/// this record's, the decoder's are a <see cref="DecoderHead"/>'s. Norms are by root mean square, nothing has a bias, positions are relative
/// to one another, and scores of the attention are not scaled:
/// <code>
/// x = word[id]
/// x = x + Wo·attention(rms(x))                   softmax(q·k + bias[bucket(distance)])
/// x = x + Wo·crossAttention(rms(x), encoder)     the decoder only; no bias by distance
/// x = x + feedForward(rms(x))
/// next token: D^-½·rms(x)·word                   without the factor where the last table is another
/// </code>
/// The decoder's blocks count after the encoder's, wherever blocks have numbers: of L and M blocks they are L…L + M − 1.
/// </summary>
internal abstract record EncoderDecoderConfig : PublishedConfig
{
    /// <summary>Length of rows, which no table limits.</summary>
    private protected const int NoLimit = 1 << 20;

    private const string Decoder = "decoder";

    /// <summary>Number of the decoder's blocks, M.</summary>
    public required int DecoderLayers { get; init => field = OptionCheck.Range(value, 0, 512, nameof(DecoderLayers)); }

    /// <summary>Columns of a head.</summary>
    public required int HeadWidth { get; init => field = OptionCheck.Range(value, 1, 4096, nameof(HeadWidth)); }

    /// <summary>Buckets of distances, of each stack.</summary>
    public int RelativeBuckets { get; init => field = OptionCheck.Range(value, 4, 4096, nameof(RelativeBuckets)); } = 32;

    /// <summary>Distances from here on share the last bucket; over half of <see cref="RelativeBuckets"/>.</summary>
    public int FurthestDistance
    {
        get;
        init => field = OptionCheck.Range(value, 3, 1 << 20, nameof(FurthestDistance));
    } = RelativePositions.Furthest;

    /// <summary>Id that the decoder begins with.</summary>
    public int StartId { get; init => field = OptionCheck.Range(value, 0, (1 << 24) - 1, nameof(StartId)); }

    /// <summary>Whether feed-forward networks have a gate.</summary>
    public bool HasGate { get; init; }

    /// <inheritdoc/>
    internal override bool HasDenseTables => true;

    /// <inheritdoc/>
    internal override bool HeadsDivideWidth => false;

    /// <inheritdoc/>
    internal override bool HasPositionTable => false;

    /// <inheritdoc/>
    internal override bool NormsTokens => false;

    /// <inheritdoc/>
    internal override HeadConfig WritingHead => new DecoderHeadConfig();

    /// <inheritdoc/>
    internal override bool IsEncoderDecoder => true;

    /// <inheritdoc/>
    internal override FeedForwardSettings FeedForward => new(Activation, HasGate, HasBias: false);

    /// <summary>Numbers of the decoder's blocks with a MoE layer, counted after the encoder's.</summary>
    [JsonIgnore]
    internal virtual IReadOnlyList<int> DecoderMoeBlocks => [];

    /// <summary>Gathers what the decoder's MoE layers add to the loss together; see <see cref="EncoderConfig.CreateLayersLoss"/>.</summary>
    internal virtual LayersLoss? CreateDecoderLoss(IRoutingObserver? next) => null;

    /// <summary>The decoder.</summary>
    internal Decoder CreateDecoder(ParameterStore store)
    {
        var attentionOf = AttentionOf(store, Decoder + ".", isCausal: true);
        var cross = new AttentionSpec(Heads) { Scale = 1f, Dropout = AttentionDropout };
        return new Decoder([.. Enumerable.Range(0, DecoderLayers).Select(Block)], CreateNorm(store, Decoder + ".outputNorm"));

        DecoderBlock Block(int layer)
        {
            var name = $"{Decoder}.{layer}";
            return new DecoderBlock(
                name,
                attentionOf(name + ".attention"),
                new CrossAttention(store, name + ".crossAttention", Width, HeadWidth, cross),
                CreateDecoderFeedForward(store, name, layer),
                Dropout,
                norm => CreateNorm(store, norm));
        }
    }

    /// <summary>Makes the feed-forward network of a block of the decoder.</summary>
    private protected virtual IFeedForward CreateDecoderFeedForward(ParameterStore store, string name, int layer) =>
        new DenseFeedForward(store, name + ".feedForward", Width, FeedForwardWidth, outputGain: 1f, FeedForward);

    /// <summary>Rules of all but the experts.</summary>
    /// <param name="dense">What the dense feed-forward networks are called.</param>
    private protected WeightRules CreateRules(string dense)
    {
        const string Tables = "shared.weight | encoder.embed_tokens.weight | decoder.embed_tokens.weight";
        var rules = new WeightRules(Architecture)
            .Copy("embedding.words", TiesDecoder ? Tables + " | lm_head.weight" : Tables)
            .Copy(DecoderHead.ScoresWeight, "lm_head.weight | " + Tables)
            .Ignore("shared.weight", "*.embed_tokens.weight", "lm_head.weight", "*.EncDecAttention.relative_attention_bias.weight");
        AddStack("layers.{l}", "", "encoder", "layer.1");
        AddStack(Decoder + ".{l}", Decoder + ".", "decoder", "layer.2");
        AddAttention(Decoder + ".{l}.crossAttention", "decoder.block.{l}.layer.1.EncDecAttention");
        return rules.Copy(Decoder + ".{l}.crossAttentionNorm.gain", "decoder.block.{l}.layer.1.layer_norm.weight");

        void AddStack(string block, string ofStack, string stack, string feedForward)
        {
            var layer = stack + ".block.{l}.";
            AddAttention(block + ".attention", layer + "layer.0.SelfAttention");
            rules
                .Copy(ofStack + "relativePositions", stack + ".block.0.layer.0.SelfAttention.relative_attention_bias.weight")
                .Copy(block + ".attentionNorm.gain", layer + "layer.0.layer_norm.weight")
                .Copy(block + ".feedForward.first.weight", $"{layer}{feedForward}.{dense}.{(HasGate ? "wi_0" : "wi")}.weight", transpose: true)
                .Copy(block + ".feedForward.gate.weight", $"{layer}{feedForward}.{dense}.wi_1.weight", transpose: true)
                .Copy(block + ".feedForward.second.weight", $"{layer}{feedForward}.{dense}.wo.weight", transpose: true)
                .Copy(block + ".feedForwardNorm.gain", $"{layer}{feedForward}.layer_norm.weight")
                .Copy(ofStack + "outputNorm.gain", stack + ".final_layer_norm.weight");
        }

        void AddAttention(string attention, string source) => rules
            .Copy(attention + ".queries.weight", source + ".q.weight", transpose: true)
            .Copy(attention + ".keys.weight", source + ".k.weight", transpose: true)
            .Copy(attention + ".values.weight", source + ".v.weight", transpose: true)
            .Copy(attention + ".output.weight", source + ".o.weight", transpose: true);
    }

    /// <summary>Refuses distances that no formula has a bucket for.</summary>
    private protected static int Furthest(PublishedSettings json, int buckets)
    {
        var furthest = json.Int("relative_attention_max_distance", RelativePositions.Furthest);
        return furthest > buckets / 2 ? furthest : throw json.Refused(
            $"relative_attention_max_distance {furthest} is not over half of relative_attention_num_buckets {buckets}");
    }

    /// <summary>
    /// Whether the token table scores the next token too. Later versions write that it does, and that outputs are not scaled, where it does not.
    /// </summary>
    private protected static bool Ties(PublishedSettings json, bool absent = true) =>
        json.Flag("tie_word_embeddings", absent) && json.Flag("scale_decoder_outputs", absent: true);

    /// <inheritdoc/>
    private protected override IBlock CreateBlock(ParameterStore store, string name, IAttention attention, IFeedForward feedForward) =>
        new PreNormBlock(name, attention, feedForward, Dropout, norm => CreateNorm(store, norm));

    /// <inheritdoc/>
    private protected override INorm CreateOutputNorm(ParameterStore store) => CreateNorm(store, "outputNorm");

    /// <inheritdoc/>
    private protected override Func<string, int, IAttention> AttentionOf(ParameterStore store)
    {
        var attentionOf = AttentionOf(store, "", isCausal: false);
        return (name, _) => attentionOf(name);
    }

    private Func<string, IAttention> AttentionOf(ParameterStore store, string prefix, bool isCausal)
    {
        var tableRH = store.Normal(prefix + "relativePositions", ParameterRole.Weight, 0.02f, RelativeBuckets, Heads);
        var spec = new AttentionSpec(Heads) { Scale = 1f, IsCausal = isCausal, Dropout = AttentionDropout };
        return name => new RelativeAttention(store, name, Width, HeadWidth, spec, hasBias: false, tableRH, FurthestDistance);
    }

    private RmsNorm CreateNorm(ParameterStore store, string name) => new(store, name, Width, NormEpsilon);
}
