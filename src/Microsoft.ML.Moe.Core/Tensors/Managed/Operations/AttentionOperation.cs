namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// Softmax attention within each sequence, one item of work for each sequence and head of keys and values.
/// Forward: A = softmax(s·Q·Kᵀ + B) with zeros where a query does not see a key, O = M∘A·V with M the dropout mask. Gradients:
/// dV = (M∘A)ᵀ·dO, dA = M∘(dO·Vᵀ), dB = A∘(dA − rowSum(A∘dA)), dQ = s·dB·K, dK = s·dBᵀ·Q. Queries, keys and values are read where they lie,
/// be it side by side in one matrix.
/// </summary>
internal readonly unsafe struct AttentionOperation(
    ManagedTensor q,
    ManagedTensor k,
    ManagedTensor v,
    bool isPacked,
    ManagedTensor? bias,
    int zero,
    AttentionHeads heads,
    float* probabilities,
    ManagedTensor result) : IOperation
{
    /// <summary>Self-attention of queries, keys and values side by side.</summary>
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor qkvT3D, SequenceLayout layout, int heads, float dropout)
    {
        var width = qkvT3D.Columns / 3;
        var headWidth = width / heads;
        var form = new AttentionForm(
            heads, heads, headWidth, headWidth, AttentionForm.ScaleOf(headWidth), IsCausal: false, AttentionForm.NoWindow, dropout);
        return Forward(tape, qkvT3D, qkvT3D, qkvT3D, isPacked: true, form, layout, layout, null, 0);
    }

    /// <summary>Attention of matrices of their own, or of three times the same packed one.</summary>
    public static ManagedTensor Forward(
        ManagedTape tape,
        ManagedTensor q,
        ManagedTensor k,
        ManagedTensor v,
        bool isPacked,
        in AttentionForm form,
        SequenceLayout queries,
        SequenceLayout keys,
        ManagedTensor? bias,
        int zero)
    {
        var requiresGradient =
            q.RequiresGradient || k.RequiresGradient || v.RequiresGradient || bias is { RequiresGradient: true };
        var result = tape.Result(requiresGradient, queries.Tokens, form.Heads * form.ValueWidth);
        var memory = result.RequiresGradient ? tape.Memory : tape.Scratch;
        var heads = new AttentionHeads(tape, memory, form, queries, keys);
        var probabilities = result.RequiresGradient ? tape.Memory.Allocate(heads.ProbabilitiesLength) : null;
        Run(tape, heads, RowsOf(q, k, v, isPacked), bias, zero, probabilities, result);
        tape.Record(result, new AttentionOperation(q, k, v, isPacked, bias, zero, heads, probabilities, result));
        return result;
    }

    /// <summary>Attention to what a cache holds.</summary>
    public static ManagedTensor Forward(
        ManagedTape tape,
        ManagedTensor q,
        in AttentionForm form,
        SequenceLayout queries,
        ManagedKeyValueCache cache,
        ManagedTensor? bias,
        int zero)
    {
        var result = tape.Result(false, queries.Tokens, form.Heads * form.ValueWidth);
        var heads = new AttentionHeads(tape, tape.Scratch, form, queries, cache);
        var rows = new AttentionRows(q.Data, q.Columns, cache.Keys, cache.KeyWidth, cache.Values, cache.ValueWidth);
        Run(tape, heads, rows, bias, zero, null, result);
        GC.KeepAlive(cache);
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        AttentionRows gradients;
        (bool Queries, bool Keys, bool Values) addsTo;
        if (isPacked)
        {
            gradients = AttentionRows.Packed(q.GradientToWrite(out var adds), q.Columns / 3);
            addsTo = (adds, adds, adds);
        }
        else
        {
            // Of a tensor in two parts, the second's gradient is made apart and added: items may write the same rows.
            var dQ = GradientOf(tape, q, isRepeated: false, out var addsToQ);
            var dK = GradientOf(tape, k, k == q, out var addsToK);
            var dV = GradientOf(tape, v, v == q || v == k, out var addsToV);
            gradients = new AttentionRows(dQ, q.Columns, dK, k.Columns, dV, v.Columns);
            addsTo = (addsToQ, addsToK, addsToV);
        }

        var dBias = bias is { RequiresGradient: true } ? DistanceBias.Zeros(tape.Scratch, bias, zero, heads.Sequences) : default;
        var scratchLength = heads.BackwardScratchLength;
        var scratch = tape.Scratch.Allocate(scratchLength * tape.Workers.Threads);
        var rows = RowsOf(q, k, v, isPacked);
        var body = new ItemBackward(heads, rows, probabilities, result.Gradient, gradients, addsTo, dBias, scratch, scratchLength);
        tape.Workers.Run(heads.Items, Gemm.Work(2 * heads.MultiplyAdds) + q.Length, body);
        if (dBias.Values != null)
            dBias.AddTo(bias!.GradientToAdd(), heads.Form.Heads, heads.Sequences);
        if (isPacked)
            return;
        if (k == q && k.RequiresGradient)
            tape.Kernels.Add(gradients.Queries, gradients.Keys, gradients.Queries, k.Length);
        if (v == q && v.RequiresGradient)
            tape.Kernels.Add(gradients.Queries, gradients.Values, gradients.Queries, v.Length);
        else if (v == k && v.RequiresGradient)
            tape.Kernels.Add(gradients.Keys, gradients.Values, gradients.Keys, v.Length);
    }

    private static void Run(
        ManagedTape tape,
        in AttentionHeads heads,
        in AttentionRows rows,
        ManagedTensor? bias,
        int zero,
        float* probabilities,
        ManagedTensor result)
    {
        var byDistance = bias is null ? default : DistanceBias.Of(tape.Scratch, bias, zero, heads.Form.Scale);
        var scratchLength = heads.ForwardScratchLength;
        var scratch = tape.Scratch.Allocate(scratchLength * tape.Workers.Threads);
        tape.Workers.Run(
            heads.Items,
            Gemm.Work(heads.MultiplyAdds) + 3L * result.Length,
            new ItemForward(heads, rows, byDistance, probabilities, result.Data, scratch, scratchLength));
    }

    private static AttentionRows RowsOf(ManagedTensor q, ManagedTensor k, ManagedTensor v, bool isPacked) => isPacked
        ? AttentionRows.Packed(q.Data, q.Columns / 3)
        : new AttentionRows(q.Data, q.Columns, k.Data, k.Columns, v.Data, v.Columns);

    private static float* GradientOf(ManagedTape tape, ManagedTensor tensor, bool isRepeated, out bool accumulate)
    {
        accumulate = false;
        if (!tensor.RequiresGradient)
            return null;
        return isRepeated ? tape.Scratch.Allocate(tensor.Length) : tensor.GradientToWrite(out accumulate);
    }

    private readonly struct ItemForward(
        AttentionHeads heads, AttentionRows rows, DistanceBias bias, float* probabilities, float* y, float* scratch, long scratchLength)
        : ILoopBody
    {
        public void Run(int item, int worker) =>
            heads.Forward(item, rows, bias, y, probabilities, scratch + worker * scratchLength);
    }

    private readonly struct ItemBackward(
        AttentionHeads heads,
        AttentionRows rows,
        float* probabilities,
        float* dY,
        AttentionRows gradients,
        (bool Queries, bool Keys, bool Values) addsTo,
        DistanceBias dBias,
        float* scratch,
        long scratchLength) : ILoopBody
    {
        public void Run(int item, int worker) =>
            heads.Backward(item, rows, probabilities, dY, gradients, addsTo, dBias, scratch + worker * scratchLength);
    }
}
