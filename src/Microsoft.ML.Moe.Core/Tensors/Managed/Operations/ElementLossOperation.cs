namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>A loss of each element by itself.</summary>
internal interface IElementLoss
{
    /// <summary>The loss of a value.</summary>
    double Loss(float value, float target, int column);

    /// <summary>Its derivative by the value.</summary>
    float Slope(float value, float target, int column);
}

/// <summary>Σ over rows of weight·mean over columns of a loss. An element's gradient is weight/C·slope.</summary>
internal readonly unsafe struct ElementLossOperation<TLoss>(
    TLoss loss, ManagedTensor valuesBC, float* targetsBC, float* weightsB, ManagedTensor result) : IOperation
    where TLoss : struct, IElementLoss
{
    public static ManagedTensor Forward(
        ManagedTape tape, TLoss loss, ManagedTensor valuesBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights)
    {
        var (rows, columns) = (valuesBC.Shape[0], valuesBC.Columns);
        var targetsBC = tape.Memory.Allocate(targets.Length);
        var weightsB = tape.Memory.Allocate(rows);
        targets.CopyTo(new Span<float>(targetsBC, targets.Length));
        RowWeights.Normalize(rowWeights, new Span<float>(weightsB, rows));
        var result = tape.Result(valuesBC.RequiresGradient, 1);
        var losses = (double*)tape.Scratch.Allocate(2L * rows);
        Blocks.RunRows(tape, rows, columns, new Losses(loss, columns, valuesBC.Data, targetsBC, losses));
        var sum = 0.0;
        for (var row = 0; row < rows; row++)
            sum += weightsB[row] > 0f ? weightsB[row] * losses[row] : 0.0;
        *result.Data = (float)sum;
        tape.Record(result, new ElementLossOperation<TLoss>(loss, valuesBC, targetsBC, weightsB, result));
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        var (rows, columns) = (valuesBC.Shape[0], valuesBC.Columns);
        var body = new Gradient(loss, columns, valuesBC.Data, targetsBC, weightsB, *result.Gradient, valuesBC.GradientToAdd());
        Blocks.RunRows(tape, rows, columns, body);
    }

    private readonly struct Losses(TLoss loss, int columns, float* values, float* targets, double* losses) : IBlockBody
    {
        public void Run(int first, int count)
        {
            for (var row = first; row < first + count; row++)
            {
                var start = (long)row * columns;
                losses[row] = 0;
                for (var column = 0; column < columns; column++)
                    losses[row] += loss.Loss(values[start + column], targets[start + column], column) / columns;
            }
        }
    }

    private readonly struct Gradient(
        TLoss loss, int columns, float* values, float* targets, float* weights, float dLoss, float* dValues) : IBlockBody
    {
        public void Run(int first, int count)
        {
            for (var row = first; row < first + count; row++)
            {
                var factor = weights[row] * dLoss / columns;
                var start = (long)row * columns;
                for (var column = 0; factor != 0f && column < columns; column++)
                    dValues[start + column] += factor * loss.Slope(values[start + column], targets[start + column], column);
            }
        }
    }
}
