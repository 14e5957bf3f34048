namespace Microsoft.ML.Moe.Models.Embeddings;

/// <summary>Mean and deviation of each component of rows, by Welford's method.</summary>
/// <param name="width">Components of a row.</param>
internal sealed class Moments(int width)
{
    private const double Least = 1e-8;
    private readonly double[] _means = new double[width];
    private readonly double[] _squares = new double[width];
    private long _rows;

    /// <summary>Takes rows.</summary>
    /// <param name="rows">Row-major.</param>
    public void Add(ReadOnlySpan<float> rows)
    {
        for (; rows.Length > 0; rows = rows[width..])
        {
            _rows++;
            for (var i = 0; i < width; i++)
            {
                var distance = rows[i] - _means[i];
                _means[i] += distance / _rows;
                _squares[i] += distance * (rows[i] - _means[i]);
            }
        }
    }

    /// <summary>
    /// Factor and summand that standardise each component, (x − mean)/(deviation + 1e-8) with the unbiased deviation; a component that is the
    /// same everywhere becomes 0.
    /// </summary>
    /// <exception cref="InvalidOperationException">There are fewer than two rows.</exception>
    public (float[] Scale, float[] Shift) Standardization()
    {
        if (_rows < 2)
            throw new InvalidOperationException("Embeddings are standardised by the rows that the transform is fitted on: it needs two at least.");
        var (scale, shift) = (new float[width], new float[width]);
        for (var i = 0; i < width; i++)
        {
            var deviation = Math.Sqrt(_squares[i] / (_rows - 1));
            // what rounding leaves of a constant
            var isConstant = deviation <= 1e-6 * Math.Abs(_means[i]);
            scale[i] = isConstant ? 0f : (float)(1 / (deviation + Least));
            shift[i] = isConstant ? 0f : (float)(-_means[i] / (deviation + Least));
        }

        return (scale, shift);
    }
}
