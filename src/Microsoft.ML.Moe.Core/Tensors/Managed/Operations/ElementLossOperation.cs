namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>A loss of each element by itself.</summary>
internal interface IElementLoss
{
    /// <summary>The loss of a value.</summary>
    static abstract double Loss(float value, float target);

    /// <summary>Its derivative by the value.</summary>
    static abstract float Slope(float value, float target);
}

/// <summary>(value − target)².</summary>
internal readonly struct SquaredError : IElementLoss
{
    public static double Loss(float value, float target) => ((double)value - target) * ((double)value - target);

    public static float Slope(float value, float target) => 2f * (value - target);
}

/// <summary>−t·ln σ(l) − (1 − t)·ln(1 − σ(l)) = max(l, 0) − l·t + ln(1 + e^−|l|), with the slope σ(l) − t.</summary>
internal readonly struct BinaryCrossEntropy : IElementLoss
{
    public static double Loss(float value, float target) =>
        Math.Max(value, 0.0) - (double)value * target + Math.Log(1 + Math.Exp(-Math.Abs((double)value)));

    public static float Slope(float value, float target) => 1f / (1f + MathF.Exp(-value)) - target;
}

/// <summary>Σ over rows of weight·mean over columns of a loss. An element's gradient is weight/C·slope.</summary>
internal readonly unsafe struct ElementLossOperation<TLoss>(
    ManagedTensor valuesBC, float* targetsBC, float* weightsB, ManagedTensor result) : IOperation
    where TLoss : struct, IElementLoss
{
    public static ManagedTensor Forward(
        ManagedTape tape, ManagedTensor valuesBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights)
    {
        var (rows, columns) = (valuesBC.Shape[0], valuesBC.Columns);
        var targetsBC = tape.Memory.Allocate(targets.Length);
        var weightsB = tape.Memory.Allocate(rows);
        targets.CopyTo(new Span<float>(targetsBC, targets.Length));
        RowWeights.Normalize(rowWeights, new Span<float>(weightsB, rows));
        var result = tape.Result(valuesBC.RequiresGradient, 1);
        var losses = (double*)tape.Scratch.Allocate(2L * rows);
        Blocks.RunRows(tape, rows, columns, new Losses(columns, valuesBC.Data, targetsBC, losses));
        var loss = 0.0;
        for (var row = 0; row < rows; row++)
            loss += weightsB[row] > 0f ? weightsB[row] * losses[row] : 0.0;
        *result.Data = (float)loss;
        tape.Record(result, new ElementLossOperation<TLoss>(valuesBC, targetsBC, weightsB, result));
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        var (rows, columns) = (valuesBC.Shape[0], valuesBC.Columns);
        var body = new Gradient(columns, valuesBC.Data, targetsBC, weightsB, *result.Gradient, valuesBC.GradientToAdd());
        Blocks.RunRows(tape, rows, columns, body);
    }

    private readonly struct Losses(int columns, float* values, float* targets, double* losses) : IBlockBody
    {
        public void Run(int first, int count)
        {
            for (var row = first; row < first + count; row++)
            {
                losses[row] = 0;
                for (var i = (long)row * columns; i < (row + 1L) * columns; i++)
                    losses[row] += TLoss.Loss(values[i], targets[i]) / columns;
            }
        }
    }

    private readonly struct Gradient(int columns, float* values, float* targets, float* weights, float dLoss, float* dValues) : IBlockBody
    {
        public void Run(int first, int count)
        {
            for (var row = first; row < first + count; row++)
            {
                var factor = weights[row] * dLoss / columns;
                for (var i = (long)row * columns; factor != 0f && i < (row + 1L) * columns; i++)
                    dValues[i] += factor * TLoss.Slope(values[i], targets[i]);
            }
        }
    }
}
