namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// Gradients of <see cref="GroupedExpertsOperation"/>. For pair p of token t and expert e, with h the hidden and o the output row:
/// dw_p = ⟨dy_t, o_p⟩, do_p = w_p·dy_t, dh = do·W2ᵀ, dz = dh∘gate∘activation'(z), dgate = dh∘activation(z), and back through
/// the first products; weight gradients are hᵀ·do, xᵀ·dz and xᵀ·dgate over the expert's rows.
/// </summary>
internal sealed unsafe class GroupedExpertsGradient(
    ManagedTape tape, ManagedTensor xTD, ManagedTensor weightsP, ExpertBatch batch, ExpertRows rows, ManagedTensor result)
{
    private readonly Kernels _kernels = tape.Kernels;
    private readonly ExpertTensors _experts = batch.Experts;
    private readonly int _width = batch.Experts.Width;
    private readonly int _hidden = batch.Experts.HiddenWidth;
    private readonly int _widthStride = batch.WidthStride;
    private readonly int _hiddenStride = batch.HiddenStride;
    private readonly bool _needsHidden = xTD.RequiresGradient || batch.Experts.HiddenRequiresGradient;
    private float* _dOutPD;
    private float* _dZPF;
    private float* _dGatePF;
    private float* _dXPD;

    public void Run()
    {
        _dOutPD = tape.Scratch.Allocate((long)batch.Pairs * _widthStride);
        if (_needsHidden)
            _dZPF = tape.Scratch.Allocate((long)batch.Pairs * _hiddenStride);
        if (_needsHidden && _experts.Gate is not null)
            _dGatePF = tape.Scratch.Allocate((long)batch.Pairs * _hiddenStride);
        if (xTD.RequiresGradient)
            _dXPD = tape.Scratch.Allocate((long)batch.Pairs * _widthStride);
        ThroughExperts();
        if (xTD.RequiresGradient)
        {
            var dX = xTD.GradientToWrite(out var accumulate);
            batch.Combine(_dXPD, null, dX, accumulate);
        }

        WeightGradients();
    }

    private void ThroughExperts()
    {
        var w2 = _needsHidden ? batch.Factors(_experts.W2, _hidden, _width, isTransposed: true) : null;
        var w1 = _dXPD == null ? null : batch.Factors(_experts.W1, _width, _hidden, isTransposed: true);
        var gate = _dXPD == null || _dGatePF == null ? null : batch.Factors(_experts.Gate!, _width, _hidden, isTransposed: true);
        batch.Pack([.. new[] { w2, w1, gate }.OfType<SecondFactor[]>()]);
        var dWeights = weightsP.RequiresGradient ? weightsP.GradientToAdd() : null;
        var scratchLength = Gemm.ScratchLength(_kernels, batch.RunRows, Math.Max(_width, _hidden));
        var allScratch = tape.Scratch.Allocate(scratchLength * tape.Workers.Threads);
        batch.Run((expert, first, count, worker) =>
        {
            var scratch = allScratch + worker * scratchLength;
            OutputRows(first, count, dWeights);
            if (w2 is null)
                return;
            var toHidden = new GemmBlock(first, count, 0, _hidden);
            Gemm.Multiply(_kernels, toHidden, new Matrix(_dOutPD, _widthStride), w2[expert], _dZPF, _hiddenStride, false, scratch);
            ThroughActivation((long)first * _hiddenStride, count * _hiddenStride);
            if (w1 is null)
                return;
            var toInput = new GemmBlock(first, count, 0, _width);
            Gemm.Multiply(_kernels, toInput, new Matrix(_dZPF, _hiddenStride), w1[expert], _dXPD, _widthStride, false, scratch);
            if (gate is not null)
                Gemm.Multiply(_kernels, toInput, new Matrix(_dGatePF, _hiddenStride), gate[expert], _dXPD, _widthStride, true, scratch);
        });
    }

    private void OutputRows(int first, int count, float* dWeights)
    {
        for (var pair = first; pair < first + count; pair++)
        {
            var dY = result.Gradient + (long)batch.TokenOfPair[pair] * _width;
            _kernels.Scale(weightsP.Data[pair], dY, _dOutPD + (long)pair * _widthStride, _width);
            if (dWeights != null)
                dWeights[pair] += _kernels.Dot(dY, rows.OutPD + (long)pair * _widthStride, _width);
        }
    }

    // Whole rows, with what may stand between them.
    private void ThroughActivation(long start, int length)
    {
        var z = rows.ZPF + start;
        var dZ = _dZPF + start;
        if (_dGatePF != null)
        {
            _kernels.Activate(_experts.Activation, z, _dGatePF + start, length);
            _kernels.Multiply(_dGatePF + start, dZ, _dGatePF + start, length);
            _kernels.Multiply(dZ, rows.GatePF + start, dZ, length);
        }

        _kernels.ActivateBackward(_experts.Activation, z, dZ, dZ, length);
    }

    private void WeightGradients()
    {
        var gradients = new List<ExpertWeightGradient>();
        var hidden = new Matrix(rows.HiddenPF, _hiddenStride, isTransposed: true);
        gradients.Add(new ExpertWeightGradient(tape, batch, hidden, false, new Matrix(_dOutPD, _widthStride), _experts.W2, _experts.B2));
        if (_needsHidden)
        {
            var x = new Matrix(xTD.Data, _width, isTransposed: true);
            gradients.Add(new ExpertWeightGradient(tape, batch, x, true, new Matrix(_dZPF, _hiddenStride), _experts.W1, _experts.B1));
            if (_experts.Gate is not null)
                gradients.Add(new ExpertWeightGradient(tape, batch, x, true, new Matrix(_dGatePF, _hiddenStride), _experts.Gate, null));
        }

        var items = 0;
        var scratchLength = 0L;
        foreach (var gradient in gradients)
        {
            items += gradient.Items;
            scratchLength = Math.Max(scratchLength, gradient.ScratchLength);
        }

        var allScratch = tape.Scratch.Allocate(scratchLength * tape.Workers.Threads);
        tape.Workers.Run(items, Gemm.Work(batch.MultiplyAdds), (item, worker) =>
        {
            var gradient = 0;
            while (item >= gradients[gradient].Items)
                item -= gradients[gradient++].Items;
            gradients[gradient].Run(item, allScratch + worker * scratchLength);
        });
    }
}
