namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// Softmax attention within each sequence, one item of work for each sequence and head of keys and values.
/// Forward: A = softmax(s·Q·Kᵀ + B) with zeros where a query does not see a key, O = M∘A·V with M the dropout mask. Gradients:
/// dV = (M∘A)ᵀ·dO, dA = M∘(dO·Vᵀ), dB = A∘(dA − rowSum(A∘dA)), dQ = s·dB·K, dK = s·dBᵀ·Q, and of a sink, whose share the rows of A lack,
/// −Σ dB. Queries, keys and values are read where they lie,
/// be it side by side in one matrix.
/// </summary>
internal readonly unsafe struct AttentionOperation(
    ManagedTensor q,
    ManagedTensor k,
    ManagedTensor v,
    bool isPacked,
    AttentionAdditions additions,
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
        return Forward(tape, qkvT3D, qkvT3D, qkvT3D, isPacked: true, form, layout, layout, default);
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
        in AttentionAdditions additions)
    {
        var requiresGradient = q.RequiresGradient || k.RequiresGradient || v.RequiresGradient || additions.RequireGradient;
        var result = tape.Result(requiresGradient, queries.Tokens, form.Heads * form.ValueWidth);
        var memory = result.RequiresGradient ? tape.Memory : tape.Scratch;
        var heads = new AttentionHeads(tape, memory, form, queries, keys);
        var probabilities = result.RequiresGradient ? tape.Memory.Allocate(heads.ProbabilitiesLength) : null;
        Run(tape, heads, RowsOf(q, k, v, isPacked), additions, probabilities, result);
        tape.Record(result, new AttentionOperation(q, k, v, isPacked, additions, heads, probabilities, result));
        return result;
    }

    /// <summary>Attention to what a cache holds.</summary>
    public static ManagedTensor Forward(
        ManagedTape tape,
        ManagedTensor q,
        in AttentionForm form,
        SequenceLayout queries,
        ManagedKeyValueCache cache,
        in AttentionAdditions additions)
    {
        var result = tape.Result(false, queries.Tokens, form.Heads * form.ValueWidth);
        var heads = new AttentionHeads(tape, tape.Scratch, form, queries, cache);
        var rows = new AttentionRows(q.Data, q.Columns, cache.Keys, cache.KeyWidth, cache.Values, cache.ValueWidth);
        Run(tape, heads, rows, additions, null, result);
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

        var (bias, sinks) = (additions.Bias, additions.Sinks);
        var dBias = bias is { RequiresGradient: true } ? DistanceBias.Zeros(tape.Scratch, bias, additions.Zero, heads.Sequences) : default;
        var dSinks = sinks is { RequiresGradient: true } ? tape.Scratch.Allocate((long)heads.Sequences * heads.Form.Heads) : null;
        var scratchLength = heads.BackwardScratchLength;
        var scratch = tape.Scratch.Allocate(scratchLength * tape.Workers.Threads);
        var rows = RowsOf(q, k, v, isPacked);
        var body = new ItemBackward(heads, rows, probabilities, result.Gradient, gradients, addsTo, dBias, dSinks, scratch, scratchLength);
        tape.Workers.Run(heads.Items, Gemm.Work(2 * heads.MultiplyAdds) + q.Length, body);
        if (dBias.Values != null)
            dBias.AddTo(bias!.GradientToAdd(), heads.Form.Heads, heads.Sequences);
        if (dSinks != null)
        {
            var target = sinks!.GradientToAdd();
            for (var sequence = 0; sequence < heads.Sequences; sequence++)
                tape.Kernels.Add(target, dSinks + (long)sequence * heads.Form.Heads, target, heads.Form.Heads);
        }

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
        in AttentionAdditions additions,
        float* probabilities,
        ManagedTensor result)
    {
        var byDistance =
            additions.Bias is { } bias ? DistanceBias.Of(tape.Scratch, bias, additions.Zero, heads.Form.Scale) : default;
        var sinks = additions.Sinks is { } given ? given.Data : null;
        var scratchLength = heads.ForwardScratchLength;
        var scratch = tape.Scratch.Allocate(scratchLength * tape.Workers.Threads);
        tape.Workers.Run(
            heads.Items,
            Gemm.Work(heads.MultiplyAdds) + 3L * result.Length,
            new ItemForward(heads, rows, byDistance, sinks, probabilities, result.Data, scratch, scratchLength));
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
        AttentionHeads heads,
        AttentionRows rows,
        DistanceBias bias,
        float* sinks,
        float* probabilities,
        float* y,
        float* scratch,
        long scratchLength) : ILoopBody
    {
        public void Run(int item, int worker) =>
            heads.Forward(item, rows, bias, sinks, y, probabilities, scratch + worker * scratchLength);
    }

    private readonly struct ItemBackward(
        AttentionHeads heads,
        AttentionRows rows,
        float* probabilities,
        float* dY,
        AttentionRows gradients,
        (bool Queries, bool Keys, bool Values) addsTo,
        DistanceBias dBias,
        float* dSinks,
        float* scratch,
        long scratchLength) : ILoopBody
    {
        public void Run(int item, int worker) =>
            heads.Backward(item, rows, probabilities, dY, gradients, addsTo, dBias, dSinks, scratch + worker * scratchLength);
    }
}

/// <summary>What takes part in the softmax of scores beside them.</summary>
/// <param name="Bias">Numbers by distance; null for none.</param>
/// <param name="Zero">Row of distance 0.</param>
/// <param name="Sinks">Scores of keys without values, by head; null for none.</param>
internal readonly record struct AttentionAdditions(ManagedTensor? Bias, int Zero, ManagedTensor? Sinks)
{
    /// <summary>Whether any of them requires a gradient.</summary>
    public bool RequireGradient => Bias is { RequiresGradient: true } || Sinks is { RequiresGradient: true };
}
