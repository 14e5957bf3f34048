namespace Microsoft.ML.Moe.Inputs;

/// <summary>
/// Positions of a grid of patches between those of another: bicubic with a = −0.75, the edge going on beyond it, as torch's
/// <c>interpolate</c> computes it and transformers use it (<c>interpolate_pos_encoding</c>).
/// </summary>
internal static class PositionsBetween
{
    private const double A = -0.75;
    private const int Taps = 4;

    /// <summary>The matrix that turns trained positions into those of another grid.</summary>
    /// <param name="special">Tokens before the patches, whose positions stay as they are.</param>
    /// <param name="columns">Columns of the trained grid.</param>
    /// <param name="rows">Rows of the trained grid.</param>
    /// <param name="newColumns">Columns of the other.</param>
    /// <param name="newRows">Rows of the other.</param>
    /// <returns>[special + newRows·newColumns, special + rows·columns].</returns>
    public static float[] Matrix(int special, int columns, int rows, int newColumns, int newRows)
    {
        var trained = special + rows * columns;
        var matrix = new float[(special + newRows * newColumns) * trained];
        for (var token = 0; token < special; token++)
            matrix[token * trained + token] = 1f;
        for (var y = 0; y < newRows; y++)
            for (var x = 0; x < newColumns; x++)
            {
                var row = matrix.AsSpan((special + y * newColumns + x) * trained + special, rows * columns);
                var (down, across) = (Along(y, rows, newRows), Along(x, columns, newColumns));
                for (var i = 0; i < Taps; i++)
                    for (var j = 0; j < Taps; j++)
                        row[down[i].Place * columns + across[j].Place] += (float)(down[i].Weight * across[j].Weight);
            }

        return matrix;
    }

    private static (int Place, double Weight)[] Along(int place, int size, int newSize)
    {
        var at = (place + 0.5) * size / newSize - 0.5;
        var first = (int)Math.Floor(at);
        return [.. Enumerable.Range(first - 1, Taps).Select(p => (Math.Clamp(p, 0, size - 1), Weight(Math.Abs(at - p))))];
    }

    private static double Weight(double x) => x <= 1 ? ((A + 2) * x - (A + 3)) * x * x + 1 : ((A * x - 5 * A) * x + 8 * A) * x - 4 * A;
}
