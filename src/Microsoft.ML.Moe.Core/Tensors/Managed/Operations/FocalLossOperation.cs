namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// Weighted mean of −m^γ·ln p, with p the target's softmax and m = 1 − p. A logit's gradient is weight·slope·(oneHot − softmax), with the slope
/// by ln p, γ·m^(γ−1)·p·ln p − m^γ.
/// </summary>
internal readonly unsafe struct FocalLossOperation(
    ManagedTensor logitsBC, int* targetsB, float* weightsB, float* slopesB, float* probabilitiesBC, ManagedTensor result) : IOperation
{
    public static ManagedTensor Forward(
        ManagedTape tape, ManagedTensor logitsBC, ReadOnlySpan<int> targets, ReadOnlySpan<float> rowWeights, float gamma)
    {
        var (rows, classes) = (logitsBC.Shape[0], logitsBC.Columns);
        var targetsB = tape.Memory.AllocateIntegers(rows);
        var weightsB = tape.Memory.Allocate(rows);
        var slopesB = tape.Memory.Allocate(rows);
        targets.CopyTo(new Span<int>(targetsB, rows));
        RowWeights.Normalize(rowWeights, new Span<float>(weightsB, rows));

        var result = tape.Result(logitsBC.RequiresGradient, 1);
        var probabilitiesBC = (result.RequiresGradient ? tape.Memory : tape.Scratch).Allocate(logitsBC.Length);
        var losses = (double*)tape.Scratch.Allocate(2L * rows);
        var body = new Losses(tape.Kernels, classes, logitsBC.Data, targetsB, gamma, slopesB, probabilitiesBC, losses);
        Blocks.RunRows(tape, rows, classes, body);
        var loss = 0.0;
        for (var row = 0; row < rows; row++)
            loss += weightsB[row] > 0f ? weightsB[row] * losses[row] : 0.0;
        *result.Data = (float)loss;
        tape.Record(result, new FocalLossOperation(logitsBC, targetsB, weightsB, slopesB, probabilitiesBC, result));
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        var classes = logitsBC.Columns;
        var dLogits = logitsBC.GradientToAdd();
        var body = new Gradient(tape.Kernels, classes, targetsB, weightsB, slopesB, *result.Gradient, probabilitiesBC, dLogits);
        Blocks.RunRows(tape, logitsBC.Shape[0], classes, body);
    }

    private readonly struct Losses(
        Kernels kernels, int classes, float* logitsBC, int* targetsB, float gamma, float* slopesB, float* probabilitiesBC, double* losses)
        : IBlockBody
    {
        public void Run(int first, int count)
        {
            for (var row = first; row < first + count; row++)
            {
                var start = (long)row * classes;
                double logSum = kernels.Softmax(1f, logitsBC + start, probabilitiesBC + start, classes);
                var logarithm = Math.Min(0, logitsBC[start + targetsB[row]] - logSum);
                var missing = 1 - Math.Exp(logarithm);
                var power = Math.Pow(missing, gamma);
                losses[row] = -power * logarithm;
                slopesB[row] = missing == 0
                    ? gamma == 0f ? -1f : 0f
                    : (float)(gamma * power / missing * (1 - missing) * logarithm - power);
            }
        }
    }

    private readonly struct Gradient(
        Kernels kernels,
        int classes,
        int* targetsB,
        float* weightsB,
        float* slopesB,
        float dLoss,
        float* probabilitiesBC,
        float* dLogitsBC) : IBlockBody
    {
        public void Run(int first, int count)
        {
            for (var row = first; row < first + count; row++)
            {
                var slope = weightsB[row] * dLoss * slopesB[row];
                if (weightsB[row] == 0f || slope == 0f)
                    continue;
                var d = dLogitsBC + (long)row * classes;
                kernels.AddScaled(-slope, probabilitiesBC + (long)row * classes, d, classes);
                d[targetsB[row]] += slope;
            }
        }
    }
}
