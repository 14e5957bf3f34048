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
        Check.Rank(logitsBC, 2);
        Check.Rate(labelSmoothing);
        var rows = logitsBC.Shape[0];
        var classes = logitsBC.Columns;
        if (targets.Length != rows)
            throw new ArgumentException($"{targets.Length} targets for logitsBC {Check.Text(logitsBC.Shape)}.", nameof(targets));
        Check.Indices(targets, classes);
        var targetsB = tape.Memory.AllocateIntegers(rows);
        var weightsB = tape.Memory.Allocate(rows);
        targets.CopyTo(new Span<int>(targetsB, rows));
        Normalize(rowWeights, new Span<float>(weightsB, rows));

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

    /// <summary>The weights over their sum; 1/n each where none are given.</summary>
    internal static float[] NormalizedWeights(ReadOnlySpan<float> rowWeights, int rows)
    {
        var weights = new float[rows];
        Normalize(rowWeights, weights);
        return weights;
    }

    private static void Normalize(ReadOnlySpan<float> rowWeights, Span<float> weights)
    {
        var rows = weights.Length;
        if (rowWeights.IsEmpty)
        {
            weights.Fill(1f / Math.Max(1, rows));
            return;
        }

        if (rowWeights.Length != rows)
            throw new ArgumentException($"{rowWeights.Length} row weights for {rows} rows.", nameof(rowWeights));
        var sum = 0.0;
        foreach (var weight in rowWeights)
        {
            if (!(weight >= 0f))
                throw new ArgumentException($"A row weight is {weight}, not at least 0.", nameof(rowWeights));
            sum += weight;
        }

        if (!(sum > 0))
            throw new ArgumentException("All row weights are 0.", nameof(rowWeights));
        for (var row = 0; row < rows; row++)
            weights[row] = (float)(rowWeights[row] / sum);
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
