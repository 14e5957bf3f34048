namespace Microsoft.ML.Moe.Routing;

/// <summary>What one MoE layer's router did. Probabilities are P = softmax(logits) over the N experts.</summary>
public sealed record LayerRoutingReport
{
    /// <summary>Number of the transformer block that the layer belongs to, from 0.</summary>
    public required int Block { get; init; }

    /// <summary>Whether the block is a decoder's, which reads an encoder's states. Default false.</summary>
    public bool IsDecoder { get; init; }

    /// <summary>Tokens routed.</summary>
    public required long Tokens { get; init; }

    /// <summary>Token–expert pairs: how often an expert was run on a token.</summary>
    public required long Pairs { get; init; }

    /// <summary>Pairs that the router chose and a full expert (its capacity) turned away; 0 without a capacity.</summary>
    public required long DroppedPairs { get; init; }

    /// <summary>Use of each expert, by expert number.</summary>
    public required IReadOnlyList<ExpertLoad> Load { get; init; }

    /// <summary>
    /// Coefficient of variation of the experts' pairs, standard deviation over mean: 0 when all are used alike, √(N − 1) when a
    /// single one is used.
    /// </summary>
    public required double LoadVariation { get; init; }

    /// <summary>
    /// Squared coefficient of variation of the experts' summed router probabilities (importance; Shazeer et al. 2017, section 4,
    /// without its coefficient): 0 when they are alike, up to N − 1.
    /// </summary>
    public required double Importance { get; init; }

    /// <summary>
    /// Load-balancing value N·Σₑ fracₑ·probₑ over all tokens (Fedus et al. 2021, eq. 4 without its coefficient): 1 when balanced, up
    /// to N when all tokens prefer one expert with certainty.
    /// </summary>
    public required double LoadBalancing { get; init; }

    /// <summary>N + 1 counts: at n, the tokens that were sent to n experts. At 0, those that only the residual carries on.</summary>
    public required IReadOnlyList<long> TokensByExperts { get; init; }

    /// <summary>Tokens by router entropy, in bins of equal width over [0, ln N].</summary>
    public required IReadOnlyList<EntropyBin> EntropyHistogram { get; init; }

    /// <summary>Mean router entropy H = −Σ p·ln(p + 1e-5), in nats.</summary>
    public required double MeanEntropy { get; init; }

    /// <summary>Tokens with H ≥ H*: those that GW-MoE would broadcast to all experts while fine-tuning, were there room for all.</summary>
    public required long UncertainTokens { get; init; }

    /// <summary>
    /// The tokens that are most often uncertain, by falling count and then by text. Counts are exact as long as no more than 65,536
    /// different tokens are uncertain; beyond, they are lower bounds and rare tokens may be missing.
    /// </summary>
    public required IReadOnlyList<UncertainToken> MostUncertainTokens { get; init; }

    /// <summary>
    /// N×N, as rows: at [i][j] the share of expert i's tokens that went to expert j too (OLMoE, arXiv 2409.02060, section 5). Not
    /// symmetric; 1 on the diagonal, 0 in the row of an expert without tokens.
    /// </summary>
    public required IReadOnlyList<IReadOnlyList<double>> CoActivation { get; init; }

    /// <summary>
    /// N×N, as rows: at [i][j] the mean cosine between the outputs of experts i and j, before weighting, on the same
    /// <see cref="SampledTokens"/> tokens. Within [−1, 1]; values near 1 off the diagonal mean that experts do the same
    /// (representation collapse, Chi et al. 2022, arXiv 2204.09179). An output of zero length counts as 0. null when no token was
    /// sampled.
    /// </summary>
    public required IReadOnlyList<IReadOnlyList<double>>? OutputSimilarity { get; init; }

    /// <summary>Tokens that <see cref="OutputSimilarity"/> was measured on.</summary>
    public required int SampledTokens { get; init; }

    /// <summary>Share of the tokens that are uncertain, within [0, 1].</summary>
    public double UncertainShare => Share.Of(UncertainTokens, Tokens);

    /// <summary>
    /// How many tokens would be uncertain at other thresholds: for the lower edge of each bin of <see cref="EntropyHistogram"/>, by rising
    /// threshold. The first is at 0, which all tokens reach.
    /// </summary>
    public IReadOnlyList<ThresholdShare> UncertainShares
    {
        get
        {
            var shares = new ThresholdShare[EntropyHistogram.Count];
            var tokens = 0L;
            for (var bin = shares.Length - 1; bin >= 0; bin--)
            {
                tokens += EntropyHistogram[bin].Tokens;
                shares[bin] = new ThresholdShare(EntropyHistogram[bin].From, Share.Of(tokens, Tokens));
            }

            return shares;
        }
    }

    /// <summary>Share of the tokens that were sent to no expert, within [0, 1].</summary>
    public double ShareWithoutExpert => Share.Of(TokensByExperts[0], Tokens);

    /// <summary>Share of the pairs chosen that were dropped, within [0, 1].</summary>
    public double DroppedShare => Share.Of(DroppedPairs, DroppedPairs + Pairs);

    /// <summary>Experts that a token was sent to, the mean.</summary>
    public double ExpertsPerToken => Share.Of(Pairs, Tokens);

    /// <summary>Mean of <see cref="OutputSimilarity"/> off the diagonal; null with a single expert or when no token was sampled.</summary>
    public double? MeanOutputSimilarity
    {
        get
        {
            var experts = Load.Count;
            return OutputSimilarity is null || experts == 1
                ? null
                : OutputSimilarity.Select((row, i) => row.Sum() - row[i]).Sum() / ((double)experts * (experts - 1));
        }
    }
}

/// <summary>A bar of an entropy histogram.</summary>
/// <param name="From">Smallest entropy in it, in nats.</param>
/// <param name="To">Where the next bin starts; the last bin includes it.</param>
/// <param name="Tokens">Tokens in it.</param>
/// <param name="UncertainTokens">How many of them are uncertain; only the bin that H* lies in has both kinds.</param>
public sealed record EntropyBin(double From, double To, long Tokens, long UncertainTokens);

/// <summary>How many tokens are uncertain at a threshold.</summary>
/// <param name="Threshold">H*, in nats.</param>
/// <param name="Share">Share of the tokens with H ≥ H*, within [0, 1].</param>
public sealed record ThresholdShare(double Threshold, double Share);

/// <summary>How much one expert is used.</summary>
/// <param name="Pairs">Tokens that were sent to it.</param>
/// <param name="ShareOfPairs">… as a share of all token–expert pairs of the layer; the experts' sum to 1.</param>
/// <param name="ShareOfTokens">… as a share of all tokens; the experts' sum to the experts per token.</param>
/// <param name="MeanProbability">Router probability, the mean over all tokens; the experts' sum to 1.</param>
public sealed record ExpertLoad(long Pairs, double ShareOfPairs, double ShareOfTokens, double MeanProbability);

/// <summary>A token that routers are often unsure about.</summary>
/// <param name="Text">
/// The token: a word or symbol, or a tokenizer's subword; <c>[start]</c> at the start of each text; the id in brackets where the
/// tokenizer tells no text.
/// </param>
/// <param name="Count">How often it was uncertain.</param>
/// <param name="ShareOfUncertain">… as a share of all uncertain tokens of the layer.</param>
public sealed record UncertainToken(string Text, long Count, double ShareOfUncertain);
