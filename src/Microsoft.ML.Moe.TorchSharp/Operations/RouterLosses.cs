using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>Losses on the router's logits.</summary>
internal static class RouterLosses
{
    /// <summary>N·Σₑ fracₑ·probₑ; frac has no gradient.</summary>
    public static TorchTensor LoadBalancing(TorchTape tape, TorchTensor logitsTE, SequenceLayout layout) =>
        tape.Run(() =>
        {
            var sequences = tape.Sequences(layout);
            var tokenLogitsTE = sequences.Tokens(logitsTE.Value);
            var tokens = Math.Max(1, sequences.TokenCount);
            var choicesT = tokenLogitsTE.detach().argmax(1);
            var countsE = torch.zeros([logitsTE.Columns], device: tape.Device)
                .index_add_(0, choicesT, torch.ones([sequences.TokenCount], device: tape.Device), Scalars.Of(1f));
            var probabilitiesE = tokenLogitsTE.softmax(-1).sum(dim: 0);
            return countsE.mul(probabilitiesE).sum().mul(Scalars.Of((float)(logitsTE.Columns / ((double)tokens * tokens)))).reshape(1);
        });

    /// <summary>Mean of logsumexp(logits)².</summary>
    public static TorchTensor Z(TorchTape tape, TorchTensor logitsTE, SequenceLayout layout) =>
        tape.Run(() =>
        {
            var sequences = tape.Sequences(layout);
            var sumsT = sequences.Tokens(logitsTE.Value).logsumexp(1);
            return sumsT.square().sum().mul(Scalars.Of(1f / Math.Max(1, sequences.TokenCount))).reshape(1);
        });
}
