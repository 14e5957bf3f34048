using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// Experts over a routing plan: the rows of each expert are gathered while they are packed, go through both products while in
/// cache, and are summed by token. Where no gradient is wanted: <see cref="FusedExperts"/>. Gradients:
/// <see cref="GroupedExpertsGradient"/>.
/// </summary>
internal readonly unsafe struct GroupedExpertsOperation(
    ManagedTensor xTD, ManagedTensor weightsP, ExpertBatch batch, ExpertRows rows, ManagedTensor result) : IOperation
{
    public static ManagedTensor Forward(
        ManagedTape tape, ManagedTensor xTD, ManagedTensor weightsP, RoutingPlan plan, in ExpertTensors experts)
    {
        var requiresGradient = xTD.RequiresGradient || weightsP.RequiresGradient || experts.RequiresGradient;
        var result = tape.Result(requiresGradient, xTD.Shape);
        var memory = result.RequiresGradient ? tape.Memory : tape.Scratch;
        var batch = new ExpertBatch(tape, memory, plan, experts);
        var outPD = memory.Allocate((long)batch.Pairs * Gemm.RowStride(experts.Width));
        if (!result.RequiresGradient)
        {
            FusedExperts.Run(tape, xTD.Data, batch, outPD);
            batch.Combine(outPD, weightsP.Data, result.Data, false);
            return result;
        }

        var rows = ExpertRows.Allocate(memory, batch, outPD);
        Multiply(tape, xTD.Data, batch, rows);
        batch.Combine(outPD, weightsP.Data, result.Data, false);
        tape.Record(result, new GroupedExpertsOperation(xTD, weightsP, batch, rows, result));
        return result;
    }

    public void Backward(ManagedTape tape) => new GroupedExpertsGradient(tape, xTD, weightsP, batch, rows, result).Run();

    private static void Multiply(ManagedTape tape, float* xTD, in ExpertBatch batch, in ExpertRows rows)
    {
        var experts = batch.Experts;
        var (w1, w2, gate) = batch.ForwardFactors();
        var scratchLength = Gemm.ScratchLength(tape.Kernels, batch.RunRows, Math.Max(experts.Width, experts.HiddenWidth));
        var scratch = tape.Scratch.Allocate(scratchLength * tape.Workers.Threads);
        var x = new Matrix(xTD, experts.Width, rowNumbers: batch.TokenOfPair);
        batch.Run(new BothProducts(tape.Kernels, experts, x, w1, w2, gate, rows, scratch, scratchLength));
    }

    private readonly struct BothProducts(
        Kernels kernels,
        ExpertTensors experts,
        Matrix x,
        ExpertFactors w1,
        ExpertFactors w2,
        ExpertFactors gate,
        ExpertRows rows,
        float* allScratch,
        long scratchLength) : IExpertBody
    {
        private readonly int _width = experts.Width;
        private readonly int _hidden = experts.HiddenWidth;
        private readonly float* _b1 = experts.B1 is null ? null : experts.B1.Data;
        private readonly float* _b2 = experts.B2 is null ? null : experts.B2.Data;
        private readonly Activation _activation = experts.Activation;
        private readonly bool _hasGate = experts.Gate is not null;
        private readonly float* _bGate = experts.GateBias is null ? null : experts.GateBias.Data;
        private readonly Activation _gateActivation = experts.GateActivation;

        public void Run(ExpertRun run, int worker)
        {
            var scratch = allScratch + worker * scratchLength;
            var toHidden = new GemmBlock(run.First, run.Rows, 0, _hidden);
            var activate = new Epilogue(_b1 == null ? null : _b1 + (long)run.Expert * _hidden, _activation, rows.HiddenPF);
            Gemm.Multiply(kernels, toHidden, x, w1[run.Expert], rows.ZPF, rows.HiddenStride, false, scratch, activate);
            if (_hasGate)
            {
                var start = (long)run.First * rows.HiddenStride;
                var activateGate = new Epilogue(_bGate == null ? null : _bGate + (long)run.Expert * _hidden, _gateActivation, rows.GatePF);
                Gemm.Multiply(kernels, toHidden, x, gate[run.Expert], rows.GateZPF, rows.HiddenStride, false, scratch, activateGate);
                kernels.Multiply(rows.HiddenPF + start, rows.GatePF + start, rows.HiddenPF + start, run.Rows * rows.HiddenStride);
            }

            var h = new Matrix(rows.HiddenPF, rows.HiddenStride);
            var toOutput = new GemmBlock(run.First, run.Rows, 0, _width);
            var addBias = new Epilogue(_b2 == null ? null : _b2 + (long)run.Expert * _width, Activation.None, rows.OutPD);
            Gemm.Multiply(kernels, toOutput, h, w2[run.Expert], rows.OutPD, rows.WidthStride, false, scratch, addBias);
        }
    }
}
