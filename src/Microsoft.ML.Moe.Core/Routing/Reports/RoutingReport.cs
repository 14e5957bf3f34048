namespace Microsoft.ML.Moe.Routing;

/// <summary>
/// What a trained model's routers do with a table: how evenly the experts are used, how sure the routers are, which tokens they are
/// unsure about, and how alike the experts have become. Plain data, all of it finite; with a table without rows all counts and
/// shares are 0.
/// </summary>
/// <param name="Router">The router that was in use, as the model's <c>Router</c> tells it.</param>
/// <param name="Experts">Experts in each MoE layer, N.</param>
/// <param name="Rows">Rows of the table.</param>
/// <param name="Tokens">Tokens of all rows as the model reads them: start tokens counted, cut-off ones and padding not.</param>
/// <param name="TokensCutOff">Tokens beyond the model's maximum length, which it has not read.</param>
/// <param name="UncertainThreshold">H*, in nats: a token whose router entropy is at least this counts as uncertain.</param>
/// <param name="Layers">The MoE layers, in the order of the forward pass; at least one.</param>
public sealed record RoutingReport(
    Router Router,
    int Experts,
    long Rows,
    long Tokens,
    long TokensCutOff,
    double UncertainThreshold,
    IReadOnlyList<LayerRoutingReport> Layers)
{
    /// <summary>
    /// Uncertain tokens of each stack: of an encoder–decoder the encoder's, then the decoder's, as far as they have MoE layers; else of all
    /// layers together.
    /// </summary>
    public IReadOnlyList<StackRoutingReport> Stacks { get; init; } = [];

    /// <summary>The largest possible router entropy, ln N, in nats.</summary>
    public double MaximumEntropy => Math.Log(Experts);
}

/// <summary>The uncertain tokens of all MoE layers of a stack: those that GW-MoE would broadcast to all experts while fine-tuning.</summary>
/// <param name="IsDecoder">Whether the stack is a decoder, which reads an encoder's states.</param>
/// <param name="Tokens">Tokens routed; a token counts once in each layer.</param>
/// <param name="UncertainTokens">How many of them have H ≥ H*.</param>
/// <param name="MostUncertainTokens">
/// The tokens that are most often uncertain, counted over all layers; see <see cref="LayerRoutingReport.MostUncertainTokens"/>.
/// </param>
public sealed record StackRoutingReport(
    bool IsDecoder, long Tokens, long UncertainTokens, IReadOnlyList<UncertainToken> MostUncertainTokens)
{
    /// <summary>Share of the tokens that are uncertain, within [0, 1].</summary>
    public double UncertainShare => Share.Of(UncertainTokens, Tokens);
}
