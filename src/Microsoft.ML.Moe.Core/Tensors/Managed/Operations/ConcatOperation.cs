namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Joins matrices along the last dimension; each part receives its columns of the gradient.</summary>
internal static unsafe class ConcatOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor[] parts)
    {
        if (parts.Length == 0)
            throw new ArgumentException("At least one part.", nameof(parts));
        var columns = 0;
        var requiresGradient = false;
        foreach (var part in parts)
        {
            Check.Rank(part, 2, nameof(parts));
            if (part.Shape[0] != parts[0].Shape[0])
            {
                throw new ArgumentException(
                    $"Parts {Check.Text(parts[0].Shape)} and {Check.Text(part.Shape)} differ in rows.", nameof(parts));
            }

            columns = checked(columns + part.Columns);
            requiresGradient |= part.RequiresGradient;
        }

        var rows = parts[0].Shape[0];
        var result = tape.Result(requiresGradient, rows, columns);
        var first = 0;
        foreach (var part in parts)
        {
            for (var row = 0; row < rows; row++)
                RowOf(part.Data, row, part.Columns).CopyTo(RowOf(result.Data + first, row, columns, part.Columns));
            first += part.Columns;
        }

        tape.Record(result, () => Backward(tape, parts, result));
        return result;
    }

    private static void Backward(ManagedTape tape, ManagedTensor[] parts, ManagedTensor result)
    {
        var first = 0;
        foreach (var part in parts)
        {
            if (part.RequiresGradient)
            {
                var dPart = part.GradientToAdd();
                for (var row = 0; row < part.Shape[0]; row++)
                {
                    var target = dPart + (long)row * part.Columns;
                    tape.Kernels.Add(target, result.Gradient + (long)row * result.Columns + first, target, part.Columns);
                }
            }

            first += part.Columns;
        }
    }

    private static Span<float> RowOf(float* data, int row, int stride, int columns = -1) =>
        new(data + (long)row * stride, columns < 0 ? stride : columns);
}
