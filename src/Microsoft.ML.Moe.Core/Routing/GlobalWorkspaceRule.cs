namespace Microsoft.ML.Moe.Routing;

/// <summary>What happens to the tokens that <see cref="GlobalWorkspace"/> broadcasts.</summary>
public enum GlobalWorkspaceRule
{
    /// <summary>The paper's: y = Σ over all N experts of p_i·E_i(x).</summary>
    Paper,

    /// <summary>
    /// What the paper's released code computes, for comparison only: it writes p_i·x for one expert after the other, without applying
    /// the expert and without summing, so that the last one remains, y = p_{N−1}·x.
    /// </summary>
    AsReleased,
}
