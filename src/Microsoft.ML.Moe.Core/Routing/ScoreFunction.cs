namespace Microsoft.ML.Moe.Routing;

/// <summary>What a router makes of a token's logits before experts are chosen and weighted.</summary>
public enum ScoreFunction
{
    /// <summary>softmax(l) over experts (Shazeer et al. 2017); with Unified its mixture with the experts' view.</summary>
    Softmax,

    /// <summary>sigmoid(l), each expert for itself (DeepSeek-V3, arXiv 2412.19437, section 2.1.2).</summary>
    Sigmoid,

    /// <summary>max(l, 0), each expert for itself (ReMoE, arXiv 2412.14711).</summary>
    Relu,

    /// <summary>
    /// SparseMixer as Phi-3.5-MoE evaluates it (arXiv 2409.12136): softmax(l) over the experts that are not ahead of this one, and whose
    /// logits are not far below its own. So a token's first expert mostly has a weight near 1, and so has its second.
    /// </summary>
    SparseMixer,
}
