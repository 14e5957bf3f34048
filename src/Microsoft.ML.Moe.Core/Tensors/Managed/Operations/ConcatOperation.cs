namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Joins matrices along the last dimension; each part receives its columns of the gradient, in a step of its own.</summary>
internal readonly unsafe struct ConcatOperation(ManagedTensor part, int firstColumn, ManagedTensor result) : IOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ReadOnlySpan<Tensor> parts)
    {
        var columns = 0;
        var requiresGradient = false;
        foreach (var part in parts)
        {
            columns = checked(columns + part.Columns);
            requiresGradient |= part.RequiresGradient;
        }

        var rows = parts[0].Shape[0];
        var result = tape.Result(requiresGradient, rows, columns);
        var last = columns;
        for (var i = parts.Length - 1; i >= 0; i--)
        {
            var part = (ManagedTensor)parts[i];
            last -= part.Columns;
            for (var row = 0; row < rows; row++)
                new Span<float>(part.Data + (long)row * part.Columns, part.Columns)
                    .CopyTo(new Span<float>(result.Data + (long)row * columns + last, part.Columns));

            // Recorded from last to first, so that gradients are added from first to last.
            tape.Record(result, new ConcatOperation(part, last, result));
        }

        return result;
    }

    public void Backward(ManagedTape tape)
    {
        if (!part.RequiresGradient)
            return;
        var dPart = part.GradientToAdd();
        for (var row = 0; row < part.Shape[0]; row++)
        {
            var target = dPart + (long)row * part.Columns;
            tape.Kernels.Add(target, result.Gradient + (long)row * result.Columns + firstColumn, target, part.Columns);
        }
    }
}
