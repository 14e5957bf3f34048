using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// Experts over a routing plan: the rows of each expert are gathered while they are packed, go through both products while in
/// cache, and are summed by token. Gradients: <see cref="GroupedExpertsGradient"/>.
/// </summary>
internal static unsafe class GroupedExpertsOperation
{
    public static ManagedTensor Forward(
        ManagedTape tape, ManagedTensor xTD, ManagedTensor weightsP, RoutingPlan plan, ExpertTensors experts)
    {
        experts.CheckShapes();
        Check.Shape(xTD, [plan.Tokens, experts.Width]);
        Check.Shape(weightsP, [plan.Pairs]);
        Check.Plan(plan);
        if (plan.Experts != experts.Count)
            throw new ArgumentException($"A plan for {plan.Experts} experts does not fit {experts.Count} experts.", nameof(plan));

        var requiresGradient = xTD.RequiresGradient || weightsP.RequiresGradient || experts.RequiresGradient;
        var result = tape.Result(requiresGradient, xTD.Shape);
        var batch = new ExpertBatch(tape, plan, experts, result.RequiresGradient);
        var rows = ExpertRows.Allocate(result.RequiresGradient ? tape.Memory : tape.Scratch, batch, result.RequiresGradient);
        Multiply(tape, xTD.Data, batch, rows);
        batch.Combine(rows.OutPD, weightsP.Data, result.Data, false);
        tape.Record(result, () => new GroupedExpertsGradient(tape, xTD, weightsP, batch, rows, result).Run());
        return result;
    }

    private static void Multiply(ManagedTape tape, float* xTD, ExpertBatch batch, ExpertRows rows)
    {
        var experts = batch.Experts;
        var kernels = tape.Kernels;
        var width = experts.Width;
        var hidden = experts.HiddenWidth;
        var (widthStride, hiddenStride) = (batch.WidthStride, batch.HiddenStride);
        var w1 = batch.Factors(experts.W1, hidden, width, false);
        var w2 = batch.Factors(experts.W2, width, hidden, false);
        var gate = experts.Gate is null ? null : batch.Factors(experts.Gate, hidden, width, false);
        batch.Pack(gate is null ? [w1, w2] : [w1, w2, gate]);
        var b1 = experts.B1 is null ? null : experts.B1.Data;
        var b2 = experts.B2 is null ? null : experts.B2.Data;
        var scratchLength = Gemm.ScratchLength(kernels, batch.RunRows, Math.Max(width, hidden));
        var allScratch = tape.Scratch.Allocate(scratchLength * tape.Workers.Threads);
        var x = new Matrix(xTD, width, rowNumbers: batch.TokenOfPair);
        batch.Run((expert, first, count, worker) =>
        {
            var scratch = allScratch + worker * scratchLength;
            var toHidden = new GemmBlock(first, count, 0, hidden);
            var activate = new Epilogue(b1 == null ? null : b1 + (long)expert * hidden, experts.Activation, rows.HiddenPF);
            Gemm.Multiply(kernels, toHidden, x, w1[expert], rows.ZPF, hiddenStride, false, scratch, activate);
            if (gate is not null)
            {
                var start = (long)first * hiddenStride;
                Gemm.Multiply(kernels, toHidden, x, gate[expert], rows.GatePF, hiddenStride, false, scratch);
                kernels.Multiply(rows.HiddenPF + start, rows.GatePF + start, rows.HiddenPF + start, count * hiddenStride);
            }

            var h = new Matrix(rows.HiddenPF, hiddenStride);
            var toOutput = new GemmBlock(first, count, 0, width);
            var addBias = new Epilogue(b2 == null ? null : b2 + (long)expert * width, Activation.None, rows.OutPD);
            Gemm.Multiply(kernels, toOutput, h, w2[expert], rows.OutPD, widthStride, false, scratch, addBias);
        });
    }
}
