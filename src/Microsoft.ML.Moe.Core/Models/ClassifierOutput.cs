using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models;

/// <summary>What a classifier's forward pass gives.</summary>
/// <param name="LogitsBC">Class scores, [B, C]: the sum of the branches.</param>
/// <param name="DeepBC">The encoder's part.</param>
/// <param name="WideBC">The wide branch's part; null when there is none.</param>
/// <param name="AuxiliaryLosses">Losses of the layers, each already times its coefficient; empty unless training.</param>
internal readonly record struct ClassifierOutput(Tensor LogitsBC, Tensor DeepBC, Tensor? WideBC, List<Tensor> AuxiliaryLosses);
