using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// y[p] = x[token of p]·W[expert of p] over a plan's pairs. Gradients: dx[t] = Σ over the token's pairs of dy[p]·Wᵀ, dW of an expert = xᵀ·dy
/// over its pairs.
/// </summary>
internal readonly unsafe struct ExpertLinearOperation(
    ManagedTensor xTI, ManagedTensor weightEIO, ExpertBatch batch, ManagedTensor result) : IOperation
{
    private readonly int _inputs = weightEIO.Shape[1];
    private readonly int _outputs = weightEIO.Shape[2];

    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor xTI, ManagedTensor weightEIO, RoutingPlan plan)
    {
        var result = tape.Result(xTI.RequiresGradient || weightEIO.RequiresGradient, plan.Pairs, weightEIO.Shape[2]);
        var memory = result.RequiresGradient ? tape.Memory : tape.Scratch;
        // of an expert's matrices there is the first alone
        var batch = new ExpertBatch(tape, memory, plan, new ExpertTensors(weightEIO, null, weightEIO, null, Activation.None));
        var leavesFewRows = !result.RequiresGradient && FewRowExperts.Fit(weightEIO);
        if (leavesFewRows)
        {
            var few = new FewRowExperts(tape, batch);
            few.Multiply(tape, weightEIO, null, few.TokensOf(tape, batch, xTI.Data, xTI.Columns), result.Data, weightEIO.Shape[2]);
            if (few.Rows == batch.Pairs)
                return result;
        }

        var operation = new ExpertLinearOperation(xTI, weightEIO, batch, result);
        var x = new Matrix(xTI.Data, xTI.Columns, rowNumbers: batch.TokenOfPair);
        operation.Multiply(tape, x, operation._inputs, operation._outputs, isTransposed: false, result.Data, operation._outputs, leavesFewRows);
        tape.Record(result, operation);
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        var dY = new Matrix(result.Gradient, _outputs);
        if (xTI.RequiresGradient)
        {
            var stride = Gemm.RowStride(_inputs);
            var dXPI = tape.Scratch.Allocate((long)batch.Pairs * stride);
            Multiply(tape, dY, _outputs, _inputs, isTransposed: true, dXPI, stride);
            var dX = xTI.GradientToWrite(out var accumulate);
            batch.Combine(dXPI, null, dX, accumulate);
        }

        if (!weightEIO.RequiresGradient)
            return;
        var x = new Matrix(xTI.Data, _inputs, isTransposed: true);
        var gradient = new ExpertWeightGradient(tape, batch, x, isGathered: true, dY, weightEIO, null);
        var scratch = tape.Scratch.Allocate(gradient.ScratchLength * tape.Workers.Threads);
        tape.Workers.Run(gradient.Items, Gemm.Work(batch.MultiplyAdds), new Weights(gradient, scratch));
    }

    private void Multiply(ManagedTape tape, Matrix rows, int depth, int columns, bool isTransposed, float* target, int stride, bool leavesFewRows = false)
    {
        var factors = batch.Factors(weightEIO, columns, depth, isTransposed);
        batch.Pack(factors, default, default);
        var scratchLength = Gemm.ScratchLength(tape.Kernels, batch.RunRows, Math.Max(depth, columns));
        var scratch = tape.Scratch.Allocate(scratchLength * tape.Workers.Threads);
        batch.Run(new Products(tape.Kernels, rows, factors, columns, target, stride, leavesFewRows ? batch.Offsets : null, scratch, scratchLength));
    }

    private readonly struct Products(
        Kernels kernels,
        Matrix rows,
        ExpertFactors factors,
        int columns,
        float* target,
        int stride,
        int* offsetsOfFew,
        float* scratch,
        long scratchLength) : IExpertBody
    {
        public void Run(ExpertRun run, int worker)
        {
            if (offsetsOfFew != null && FewRowExperts.Has(offsetsOfFew[run.Expert + 1] - offsetsOfFew[run.Expert]))
                return;
            var block = new GemmBlock(run.First, run.Rows, 0, columns);
            Gemm.Multiply(kernels, block, rows, factors[run.Expert], target, stride, false, scratch + worker * scratchLength);
        }
    }

    private readonly struct Weights(ExpertWeightGradient gradient, float* scratch) : ILoopBody
    {
        public void Run(int item, int worker) => gradient.Run(item, scratch + worker * gradient.ScratchLength);
    }
}
