namespace Microsoft.ML.Moe.Tensors;

/// <summary>Weights of the rows of a loss, divided by their sum.</summary>
internal static class RowWeights
{
    /// <summary>Checks weights that a caller gives.</summary>
    /// <param name="rowWeights">One for each row, or none.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="operation">Who asks, for messages.</param>
    /// <exception cref="ArgumentException">Their number is not that of the rows, one is negative or no number, or all are 0.</exception>
    public static void Validate(ReadOnlySpan<float> rowWeights, int rows, string operation)
    {
        if (rowWeights.IsEmpty)
            return;
        if (rowWeights.Length != rows)
            throw new ArgumentException($"{operation}: {rowWeights.Length} row weights for {rows} rows.", nameof(rowWeights));
        foreach (var weight in rowWeights)
        {
            if (!(weight >= 0f))
                throw new ArgumentException($"{operation}: a row weight is {weight}, not at least 0.", nameof(rowWeights));
        }

        if (!(Sum(rowWeights) > 0))
            throw new ArgumentException($"{operation}: all row weights are 0.", nameof(rowWeights));
    }

    /// <summary>The weights over their sum; 1/n each where none are given.</summary>
    /// <param name="rowWeights">As <see cref="Validate"/> lets them pass.</param>
    /// <param name="weights">Receives one for each row.</param>
    public static void Normalize(ReadOnlySpan<float> rowWeights, Span<float> weights)
    {
        if (rowWeights.IsEmpty)
        {
            weights.Fill(1f / Math.Max(1, weights.Length));
            return;
        }

        var sum = Sum(rowWeights);
        for (var row = 0; row < weights.Length; row++)
            weights[row] = (float)(rowWeights[row] / sum);
    }

    private static double Sum(ReadOnlySpan<float> rowWeights)
    {
        var sum = 0.0;
        foreach (var weight in rowWeights)
            sum += weight;
        return sum;
    }
}
