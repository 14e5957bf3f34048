namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// Softmax attention within each sequence, one item of work for each sequence and head (S its tokens, K = D/H the head's width).
/// Forward: A = softmax(Q·Kᵀ/√K) with zeros at padding, O = M∘A·V with M the dropout mask. Gradients: dV = (M∘A)ᵀ·dO,
/// dA = M∘(dO·Vᵀ), dS = A∘(dA − rowSum(A∘dA))/√K, dQ = dS·K, dK = dSᵀ·Q.
/// </summary>
internal readonly unsafe struct AttentionOperation(
    ManagedTensor qkvT3D, AttentionHeads attention, float* probabilities, ManagedTensor result) : IOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor qkvT3D, SequenceLayout layout, int heads, float dropout)
    {
        var width = qkvT3D.Columns / 3;
        var result = tape.Result(qkvT3D.RequiresGradient, layout.Tokens, width);
        var memory = result.RequiresGradient ? tape.Memory : tape.Scratch;
        var attention = new AttentionHeads(tape, memory, layout, heads, width / heads, dropout);
        var probabilities = result.RequiresGradient ? tape.Memory.Allocate(attention.ProbabilitiesLength) : null;
        var scratchLength = attention.ForwardScratchLength;
        var scratch = tape.Scratch.Allocate(scratchLength * tape.Workers.Threads);
        tape.Workers.Run(
            layout.Sequences * heads,
            Gemm.Work(attention.MultiplyAdds) + qkvT3D.Length,
            new HeadForward(attention, qkvT3D.Data, probabilities, result.Data, scratch, scratchLength));
        tape.Record(result, new AttentionOperation(qkvT3D, attention, probabilities, result));
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        var dQkv = qkvT3D.GradientToWrite(out var accumulate);
        var scratchLength = attention.BackwardScratchLength;
        var scratch = tape.Scratch.Allocate(scratchLength * tape.Workers.Threads);
        tape.Workers.Run(
            attention.Sequences * attention.Heads,
            Gemm.Work(2 * attention.MultiplyAdds) + qkvT3D.Length,
            new HeadBackward(attention, qkvT3D.Data, probabilities, result.Gradient, dQkv, accumulate, scratch, scratchLength));
    }

    private readonly struct HeadForward(
        AttentionHeads attention, float* qkv, float* probabilities, float* y, float* scratch, long scratchLength) : ILoopBody
    {
        public void Run(int item, int worker) => attention.Forward(
            item / attention.Heads, item % attention.Heads, qkv, y, probabilities, scratch + worker * scratchLength);
    }

    private readonly struct HeadBackward(
        AttentionHeads attention,
        float* qkv,
        float* probabilities,
        float* dY,
        float* dQkv,
        bool accumulate,
        float* scratch,
        long scratchLength) : ILoopBody
    {
        public void Run(int item, int worker) => attention.Backward(
            item / attention.Heads,
            item % attention.Heads,
            qkv,
            probabilities,
            dY,
            dQkv,
            accumulate,
            scratch + worker * scratchLength);
    }
}
