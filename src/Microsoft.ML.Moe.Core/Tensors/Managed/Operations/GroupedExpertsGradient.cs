namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// Gradients of <see cref="GroupedExpertsOperation"/>. For pair p of token t and expert e, with h the hidden and o the output row:
/// dw_p = ⟨dy_t, o_p⟩, do_p = w_p·dy_t, dh = do·W2ᵀ, dz = dh∘gate∘activation'(z), dgate = dh∘activation(z)∘gateActivation', and back through
/// the first products; weight gradients are hᵀ·do, xᵀ·dz and xᵀ·dgate over the expert's rows.
/// </summary>
internal readonly unsafe struct GroupedExpertsGradient(
    ManagedTape tape, ManagedTensor xTD, ManagedTensor weightsP, ExpertBatch batch, ExpertRows rows, ManagedTensor result)
{
    private readonly ExpertTensors _experts = batch.Experts;
    private readonly int _width = batch.Experts.Width;
    private readonly int _hidden = batch.Experts.HiddenWidth;
    private readonly bool _needsHidden = xTD.RequiresGradient || batch.Experts.HiddenRequiresGradient;

    public void Run()
    {
        var scratch = tape.Scratch;
        var dOutPD = scratch.Allocate((long)batch.Pairs * rows.WidthStride);
        var dZPF = _needsHidden ? scratch.Allocate((long)batch.Pairs * rows.HiddenStride) : null;
        var dGatePF = _needsHidden && _experts.Gate is not null ? scratch.Allocate((long)batch.Pairs * rows.HiddenStride) : null;
        var dXPD = xTD.RequiresGradient ? scratch.Allocate((long)batch.Pairs * rows.WidthStride) : null;
        ThroughExperts(dOutPD, dZPF, dGatePF, dXPD);
        if (xTD.RequiresGradient)
        {
            var dX = xTD.GradientToWrite(out var accumulate);
            batch.Combine(dXPD, null, dX, accumulate);
        }

        WeightGradients(dOutPD, dZPF, dGatePF);
    }

    private void ThroughExperts(float* dOutPD, float* dZPF, float* dGatePF, float* dXPD)
    {
        var w2 = _needsHidden ? batch.Factors(_experts.W2, _hidden, _width, isTransposed: true) : default;
        var w1 = dXPD == null ? default : batch.Factors(_experts.W1, _width, _hidden, isTransposed: true);
        var gate = dXPD == null || dGatePF == null ? default : batch.Factors(_experts.Gate!, _width, _hidden, isTransposed: true);
        batch.Pack(w2, w1, gate);
        var dWeights = weightsP.RequiresGradient ? weightsP.GradientToAdd() : null;
        var scratchLength = Gemm.ScratchLength(tape.Kernels, batch.RunRows, Math.Max(_width, _hidden));
        var scratch = tape.Scratch.Allocate(scratchLength * tape.Workers.Threads);
        batch.Run(new RunGradient
        {
            Kernels = tape.Kernels,
            Width = _width,
            Hidden = _hidden,
            Activation = _experts.Activation,
            GateActivation = _experts.GateActivation,
            TokenOfPair = batch.TokenOfPair,
            WeightsP = weightsP.Data,
            Rows = rows,
            W1 = w1,
            W2 = w2,
            Gate = gate,
            DY = result.Gradient,
            DWeights = dWeights,
            DOutPD = dOutPD,
            DZPF = dZPF,
            DGatePF = dGatePF,
            DXPD = dXPD,
            AllScratch = scratch,
            ScratchLength = scratchLength,
        });
    }

    private void WeightGradients(float* dOutPD, float* dZPF, float* dGatePF)
    {
        var hidden = new Matrix(rows.HiddenPF, rows.HiddenStride, isTransposed: true);
        var x = new Matrix(xTD.Data, _width, isTransposed: true);
        var dOut = new Matrix(dOutPD, rows.WidthStride);
        var (dZ, dGate) = (new Matrix(dZPF, rows.HiddenStride), new Matrix(dGatePF, rows.HiddenStride));
        var ofW2 = new ExpertWeightGradient(tape, batch, hidden, false, dOut, _experts.W2, _experts.B2);
        var ofW1 = _needsHidden ? new ExpertWeightGradient(tape, batch, x, true, dZ, _experts.W1, _experts.B1) : default;
        var ofGate = dGatePF != null ? new ExpertWeightGradient(tape, batch, x, true, dGate, _experts.Gate!, _experts.GateBias) : default;
        var scratchLength = Math.Max(ofW2.ScratchLength, Math.Max(ofW1.ScratchLength, ofGate.ScratchLength));
        var scratch = tape.Scratch.Allocate(scratchLength * tape.Workers.Threads);
        tape.Workers.Run(
            ofW2.Items + ofW1.Items + ofGate.Items,
            Gemm.Work(batch.MultiplyAdds),
            new AllWeights(ofW2, ofW1, ofGate, scratch, scratchLength));
    }

    /// <summary>From a run's output gradient to that of its input.</summary>
    private readonly struct RunGradient : IExpertBody
    {
        public required Kernels Kernels { get; init; }

        public required int Width { get; init; }

        public required int Hidden { get; init; }

        public required Activation Activation { get; init; }

        public required Activation GateActivation { get; init; }

        public required int* TokenOfPair { get; init; }

        public required float* WeightsP { get; init; }

        public required ExpertRows Rows { get; init; }

        public required ExpertFactors W1 { get; init; }

        public required ExpertFactors W2 { get; init; }

        public required ExpertFactors Gate { get; init; }

        public required float* DY { get; init; }

        public required float* DWeights { get; init; }

        public required float* DOutPD { get; init; }

        public required float* DZPF { get; init; }

        public required float* DGatePF { get; init; }

        public required float* DXPD { get; init; }

        public required float* AllScratch { get; init; }

        public required long ScratchLength { get; init; }

        public void Run(ExpertRun run, int worker)
        {
            var (expert, first, count) = run;
            var scratch = AllScratch + worker * ScratchLength;
            OutputRows(first, count);
            if (DZPF == null)
                return;
            var toHidden = new GemmBlock(first, count, 0, Hidden);
            Gemm.Multiply(Kernels, toHidden, new Matrix(DOutPD, Rows.WidthStride), W2[expert], DZPF, Rows.HiddenStride, false, scratch);
            ThroughActivation((long)first * Rows.HiddenStride, count * Rows.HiddenStride);
            if (DXPD == null)
                return;
            var toInput = new GemmBlock(first, count, 0, Width);
            Gemm.Multiply(Kernels, toInput, new Matrix(DZPF, Rows.HiddenStride), W1[expert], DXPD, Rows.WidthStride, false, scratch);
            if (DGatePF != null)
                Gemm.Multiply(Kernels, toInput, new Matrix(DGatePF, Rows.HiddenStride), Gate[expert], DXPD, Rows.WidthStride, true, scratch);
        }

        private void OutputRows(int first, int count)
        {
            for (var pair = first; pair < first + count; pair++)
            {
                var dY = DY + (long)TokenOfPair[pair] * Width;
                Kernels.Scale(WeightsP[pair], dY, DOutPD + (long)pair * Rows.WidthStride, Width);
                if (DWeights != null)
                    DWeights[pair] += Kernels.Dot(dY, Rows.OutPD + (long)pair * Rows.WidthStride, Width);
            }
        }

        // Whole rows, with what may stand between them.
        private void ThroughActivation(long start, int length)
        {
            var z = Rows.ZPF + start;
            var dZ = DZPF + start;
            if (DGatePF != null)
            {
                Kernels.Activate(Activation, z, DGatePF + start, length);
                Kernels.Multiply(DGatePF + start, dZ, DGatePF + start, length);
                if (GateActivation != Activation.None)
                    Kernels.ActivateBackward(GateActivation, Rows.GateZPF + start, DGatePF + start, DGatePF + start, length);
                Kernels.Multiply(dZ, Rows.GatePF + start, dZ, length);
            }

            Kernels.ActivateBackward(Activation, z, dZ, dZ, length);
        }
    }

    private readonly struct AllWeights(
        ExpertWeightGradient first, ExpertWeightGradient second, ExpertWeightGradient third, float* allScratch, long scratchLength)
        : ILoopBody
    {
        public void Run(int item, int worker)
        {
            var scratch = allScratch + worker * scratchLength;
            if (item < first.Items)
                first.Run(item, scratch);
            else if (item < first.Items + second.Items)
                second.Run(item - first.Items, scratch);
            else
                third.Run(item - first.Items - second.Items, scratch);
        }
    }
}
