using Microsoft.ML.Moe.Routing;
using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>Losses on the router's logits.</summary>
internal static class RouterLosses
{
    /// <summary><see cref="LoadBalancingLoss"/>.</summary>
    public static TorchTensor LoadBalancing(TorchTape tape, TorchTensor logitsTE, SequenceLayout layout) =>
        tape.Run(() =>
        {
            var sequences = tape.Sequences(layout);
            var tokenLogitsTE = sequences.Tokens(logitsTE.Value);
            var choicesT = tokenLogitsTE.detach().argmax(1);
            var countsE = torch.zeros([logitsTE.Columns], device: tape.Device)
                .index_add_(0, choicesT, torch.ones([sequences.TokenCount], device: tape.Device), Scalars.Of(1f));
            var probabilitiesE = tokenLogitsTE.softmax(-1).sum(dim: 0);
            var scale = LoadBalancingLoss.Scale(logitsTE.Columns, sequences.TokenCount);
            return countsE.mul(probabilitiesE).sum().mul(Scalars.Of((float)scale)).reshape(1);
        });

    /// <summary><see cref="RouterZLoss"/>.</summary>
    public static TorchTensor Z(TorchTape tape, TorchTensor logitsTE, SequenceLayout layout) =>
        tape.Run(() =>
        {
            var sequences = tape.Sequences(layout);
            var sumsT = sequences.Tokens(logitsTE.Value).logsumexp(1);
            return sumsT.Squared().sum().mul(Scalars.Of(1f / Math.Max(1, sequences.TokenCount))).reshape(1);
        });
}
