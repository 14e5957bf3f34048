using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>Normalisation over the last dimension.</summary>
internal interface INorm
{
    /// <summary>[…, D] → […, D].</summary>
    Tensor Forward(Tape tape, Tensor x);
}
