namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// Weighted mean of −Σ_c q_c·ln softmax(logits)_c with q = (1 − s)·oneHot + s/C. The logits' gradient is weight·(softmax − q).
/// </summary>
internal readonly unsafe struct CrossEntropyOperation(
    ManagedTensor logitsBC, int* targetsB, float* weightsB, float labelSmoothing, float* probabilitiesBC, ManagedTensor result) : IOperation
{
    public static ManagedTensor Forward(
        ManagedTape tape, ManagedTensor logitsBC, ReadOnlySpan<int> targets, ReadOnlySpan<float> rowWeights, float labelSmoothing)
    {
        var rows = logitsBC.Shape[0];
        var classes = logitsBC.Columns;
        var targetsB = tape.Memory.AllocateIntegers(rows);
        var weightsB = tape.Memory.Allocate(rows);
        targets.CopyTo(new Span<int>(targetsB, rows));
        RowWeights.Normalize(rowWeights, new Span<float>(weightsB, rows));

        var result = tape.Result(logitsBC.RequiresGradient, 1);
        var probabilitiesBC = (result.RequiresGradient ? tape.Memory : tape.Scratch).Allocate(logitsBC.Length);
        var losses = (double*)tape.Scratch.Allocate(2L * rows);
        var body = new Losses(tape.Kernels, classes, logitsBC.Data, targetsB, labelSmoothing, probabilitiesBC, losses);
        Blocks.RunRows(tape, rows, classes, body);
        var loss = 0.0;
        for (var row = 0; row < rows; row++)
            loss += weightsB[row] > 0f ? weightsB[row] * losses[row] : 0.0;
        *result.Data = (float)loss;
        tape.Record(result, new CrossEntropyOperation(logitsBC, targetsB, weightsB, labelSmoothing, probabilitiesBC, result));
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        var classes = logitsBC.Columns;
        var dLogits = logitsBC.GradientToAdd();
        var body = new Gradient(
            tape.Kernels, classes, targetsB, weightsB, labelSmoothing, *result.Gradient, probabilitiesBC, dLogits);
        Blocks.RunRows(tape, logitsBC.Shape[0], classes, body);
    }

    private readonly struct Losses(
        Kernels kernels, int classes, float* logitsBC, int* targetsB, float labelSmoothing, float* probabilitiesBC, double* losses)
        : IBlockBody
    {
        public void Run(int first, int count)
        {
            for (var row = first; row < first + count; row++)
            {
                var l = logitsBC + (long)row * classes;
                var logSum = kernels.Softmax(1f, l, probabilitiesBC + (long)row * classes, classes);
                var expected = (1.0 - labelSmoothing) * l[targetsB[row]];
                if (labelSmoothing > 0f)
                    expected += labelSmoothing * (double)kernels.Sum(l, classes) / classes;
                losses[row] = logSum - expected;
            }
        }
    }

    private readonly struct Gradient(
        Kernels kernels,
        int classes,
        int* targetsB,
        float* weightsB,
        float labelSmoothing,
        float dLoss,
        float* probabilitiesBC,
        float* dLogitsBC) : IBlockBody
    {
        public void Run(int first, int count)
        {
            for (var row = first; row < first + count; row++)
            {
                var weight = weightsB[row] * dLoss;
                if (weight == 0f)
                    continue;
                var d = dLogitsBC + (long)row * classes;
                kernels.AddScaled(weight, probabilitiesBC + (long)row * classes, d, classes);
                d[targetsB[row]] -= weight * (1f - labelSmoothing);
                var uniform = weight * labelSmoothing / classes;
                for (var c = 0; uniform != 0f && c < classes; c++)
                    d[c] -= uniform;
            }
        }
    }
}
