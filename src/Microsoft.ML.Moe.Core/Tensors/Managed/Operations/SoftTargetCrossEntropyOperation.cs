namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// Weighted mean of −Σ_c t_c·ln softmax(logits)_c, for targets t of any sum. The logits' gradient is weight·(Σt·softmax − t).
/// </summary>
internal readonly unsafe struct SoftTargetCrossEntropyOperation(
    ManagedTensor logitsBC, float* targetsBC, float* sumsB, float* weightsB, float* probabilitiesBC, ManagedTensor result) : IOperation
{
    public static ManagedTensor Forward(
        ManagedTape tape, ManagedTensor logitsBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights)
    {
        var (rows, classes) = (logitsBC.Shape[0], logitsBC.Columns);
        var targetsBC = tape.Memory.Allocate(targets.Length);
        var weightsB = tape.Memory.Allocate(rows);
        var sumsB = tape.Memory.Allocate(rows);
        targets.CopyTo(new Span<float>(targetsBC, targets.Length));
        RowWeights.Normalize(rowWeights, new Span<float>(weightsB, rows));

        var result = tape.Result(logitsBC.RequiresGradient, 1);
        var probabilitiesBC = (result.RequiresGradient ? tape.Memory : tape.Scratch).Allocate(logitsBC.Length);
        var losses = (double*)tape.Scratch.Allocate(2L * rows);
        Blocks.RunRows(
            tape, rows, classes, new Losses(tape.Kernels, classes, logitsBC.Data, targetsBC, sumsB, probabilitiesBC, losses));
        var loss = 0.0;
        for (var row = 0; row < rows; row++)
            loss += weightsB[row] > 0f ? weightsB[row] * losses[row] : 0.0;
        *result.Data = (float)loss;
        tape.Record(result, new SoftTargetCrossEntropyOperation(logitsBC, targetsBC, sumsB, weightsB, probabilitiesBC, result));
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        var classes = logitsBC.Columns;
        var body = new Gradient(
            tape.Kernels, classes, targetsBC, sumsB, weightsB, *result.Gradient, probabilitiesBC, logitsBC.GradientToAdd());
        Blocks.RunRows(tape, logitsBC.Shape[0], classes, body);
    }

    private readonly struct Losses(
        Kernels kernels, int classes, float* logitsBC, float* targetsBC, float* sumsB, float* probabilitiesBC, double* losses)
        : IBlockBody
    {
        public void Run(int first, int count)
        {
            for (var row = first; row < first + count; row++)
            {
                var start = (long)row * classes;
                double logSum = kernels.Softmax(1f, logitsBC + start, probabilitiesBC + start, classes);
                sumsB[row] = kernels.Sum(targetsBC + start, classes);
                losses[row] = 0;
                for (var i = start; i < start + classes; i++)
                    losses[row] += targetsBC[i] > 0f ? targetsBC[i] * (logSum - logitsBC[i]) : 0.0;
            }
        }
    }

    private readonly struct Gradient(
        Kernels kernels,
        int classes,
        float* targetsBC,
        float* sumsB,
        float* weightsB,
        float dLoss,
        float* probabilitiesBC,
        float* dLogitsBC) : IBlockBody
    {
        public void Run(int first, int count)
        {
            for (var row = first; row < first + count; row++)
            {
                var weight = weightsB[row] * dLoss;
                if (weight == 0f || sumsB[row] == 0f)
                    continue;
                var start = (long)row * classes;
                kernels.AddScaled(weight * sumsB[row], probabilitiesBC + start, dLogitsBC + start, classes);
                kernels.AddScaled(-weight, targetsBC + start, dLogitsBC + start, classes);
            }
        }
    }
}
