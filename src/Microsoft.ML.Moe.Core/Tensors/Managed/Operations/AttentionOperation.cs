namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// Softmax attention within each sequence, one item of work for each sequence and head (S its tokens, K = D/H the head's width).
/// Forward: A = softmax(Q·Kᵀ/√K) with zeros at padding, O = M∘A·V with M the dropout mask. Gradients: dV = (M∘A)ᵀ·dO,
/// dA = M∘(dO·Vᵀ), dS = A∘(dA − rowSum(A∘dA))/√K, dQ = dS·K, dK = dSᵀ·Q.
/// </summary>
internal static unsafe class AttentionOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor qkvT3D, SequenceLayout layout, int heads, float dropout)
    {
        Check.Tokens(qkvT3D, layout);
        Check.Rate(dropout);
        ArgumentOutOfRangeException.ThrowIfLessThan(heads, 1);
        if (qkvT3D.Columns % (3 * heads) != 0)
        {
            throw new ArgumentException(
                $"qkvT3D {Check.Text(qkvT3D.Shape)} does not divide into three parts of {heads} heads.", nameof(qkvT3D));
        }

        var width = qkvT3D.Columns / 3;
        var result = tape.Result(qkvT3D.RequiresGradient, layout.Tokens, width);
        var attention = new AttentionHeads(tape, layout, heads, width / heads, tape.IsTraining ? dropout : 0f);
        var probabilities = result.RequiresGradient ? tape.Memory.Allocate(attention.ProbabilitiesLength) : null;
        var scratchLength = attention.ForwardScratchLength;
        var scratch = tape.Scratch.Allocate(scratchLength * tape.Workers.Threads);
        var qkv = qkvT3D.Data;
        var y = result.Data;
        tape.Workers.Run(layout.Sequences * heads, Gemm.Work(attention.MultiplyAdds) + qkvT3D.Length, (item, worker) =>
            attention.Forward(item / heads, item % heads, qkv, y, probabilities, scratch + worker * scratchLength));
        tape.Record(result, () => Backward(tape, qkvT3D, attention, result, probabilities));
        return result;
    }

    private static void Backward(
        ManagedTape tape, ManagedTensor qkvT3D, AttentionHeads attention, ManagedTensor result, float* probabilities)
    {
        var heads = attention.Heads;
        var qkv = qkvT3D.Data;
        var dQkv = qkvT3D.GradientToWrite(out var accumulate);
        var dY = result.Gradient;
        var scratchLength = attention.BackwardScratchLength;
        var scratch = tape.Scratch.Allocate(scratchLength * tape.Workers.Threads);
        tape.Workers.Run(attention.Sequences * heads, Gemm.Work(2 * attention.MultiplyAdds) + qkvT3D.Length, (item, worker) =>
            attention.Backward(
                item / heads, item % heads, qkv, probabilities, dY, dQkv, accumulate, scratch + worker * scratchLength));
    }
}
