using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>The token-wise half of a transformer block: dense or a mixture of experts.</summary>
internal interface IFeedForward
{
    /// <summary>[T, D] → [T, D].</summary>
    Tensor Forward(ForwardContext context, Tensor xTD);
}
