using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>A transformer block: attention, then a feed-forward network.</summary>
internal interface IBlock
{
    /// <summary>[T, D] → [T, D].</summary>
    Tensor Forward(ForwardContext context, Tensor xTD);
}

/// <summary>The half of a transformer block in which tokens of a sequence read each other.</summary>
internal interface IAttention
{
    /// <inheritdoc cref="IBlock.Forward"/>
    Tensor Forward(ForwardContext context, Tensor xTD);
}
