namespace Microsoft.ML.Moe.LinearModels;

/// <summary>
/// Descends a smooth function in double precision: quasi-Newton steps from the last changes of the gradient (Liu and Nocedal 1989), each as
/// long as a <see cref="WolfeSearch"/> makes it. In exact arithmetic step for step what L-BFGS-B 3.0 does without bounds (Zhu, Byrd, Lu and
/// Nocedal 1997), so that a descent that is ended early, as in published results, ends at the same place.
/// </summary>
/// <param name="tolerance">Ends where no element of the gradient is larger.</param>
/// <param name="mostSteps">Steps at most.</param>
/// <param name="relativeChange">
/// Ends where a step lowers the function by no more than this share of it, or of 1 where it is smaller.
/// </param>
internal sealed class LimitedMemoryBfgs(double tolerance, int mostSteps, double relativeChange = 64 * LimitedMemoryBfgs.Epsilon)
{
    /// <summary>The distance from 1 to the next number.</summary>
    public const double Epsilon = 1.0 / (1L << 52);

    private const int KeptChanges = 10;
    private const int MostTrials = 50;

    private readonly List<Change> _changes = [];

    /// <summary>A function.</summary>
    /// <param name="x">Where.</param>
    /// <param name="gradient">Receives the gradient.</param>
    /// <returns>The value.</returns>
    public delegate double Objective(ReadOnlySpan<double> x, Span<double> gradient);

    /// <summary>Steps taken.</summary>
    public int Steps { get; private set; }

    /// <summary>Descends.</summary>
    /// <param name="objective">The function.</param>
    /// <param name="x">Where to start; becomes where it ended.</param>
    /// <param name="cancellation">Ends it with an exception.</param>
    /// <returns>The value there.</returns>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public double Descend(Objective objective, double[] x, CancellationToken cancellation = default)
    {
        _changes.Clear();
        Steps = 0;
        var gradient = new double[x.Length];
        var value = objective(x, gradient);
        while (Steps < mostSteps && Largest(gradient) > tolerance)
        {
            cancellation.ThrowIfCancellationRequested();
            var direction = DirectionFor(gradient);
            var first = Steps == 0 ? Math.Min(1 / Math.Sqrt(Dot(direction, direction)), WolfeSearch.LongestStep) : 1;
            if (Search(objective, x, value, gradient, direction, first) is not { } reached)
            {
                // What is kept no longer fits: once more, straight down. Where that fails too, rounding ends it.
                if (_changes.Count == 0)
                    return value;
                _changes.Clear();
                continue;
            }

            Steps++;
            Keep(direction, reached, gradient);
            var lowered = value - reached.Value;
            var scale = Math.Max(Math.Max(Math.Abs(value), Math.Abs(reached.Value)), 1);
            reached.X.CopyTo(x, 0);
            (value, gradient) = (reached.Value, reached.Gradient);
            if (lowered <= relativeChange * scale)
                return value;
        }

        return value;
    }

    private static Point? Search(
        Objective objective, double[] x, double value, double[] gradient, double[] direction, double first)
    {
        var slope = Dot(gradient, direction);
        if (!(slope < 0))
            return null;
        var search = new WolfeSearch(value, slope, first);
        for (var trial = 0; trial < MostTrials; trial++)
        {
            var (there, gradientThere) = (new double[x.Length], new double[x.Length]);
            for (var i = 0; i < x.Length; i++)
                there[i] = x[i] + (search.Step * direction[i]);
            var (step, valueThere) = (search.Step, objective(there, gradientThere));
            if (search.Ends(valueThere, Dot(gradientThere, direction)))
                return new Point(there, step, valueThere, gradientThere);
        }

        return null;
    }

    /// <summary>−H · gradient, where H is the inverse Hessian as the changes that are kept tell it.</summary>
    private double[] DirectionFor(double[] gradient)
    {
        var direction = Array.ConvertAll(gradient, g => -g);
        var shares = new double[_changes.Count];
        for (var k = _changes.Count - 1; k >= 0; k--)
        {
            shares[k] = Dot(_changes[k].X, direction) / _changes[k].Curvature;
            Add(-shares[k], _changes[k].Gradient, direction);
        }

        if (_changes.Count > 0)
        {
            var scale = _changes[^1].Curvature / Dot(_changes[^1].Gradient, _changes[^1].Gradient);
            foreach (ref var value in direction.AsSpan())
                value *= scale;
        }

        for (var k = 0; k < _changes.Count; k++)
            Add(shares[k] - (Dot(_changes[k].Gradient, direction) / _changes[k].Curvature), _changes[k].X, direction);
        return direction;
    }

    private void Keep(double[] direction, Point reached, double[] gradient)
    {
        var (changeX, changeGradient) = (new double[direction.Length], new double[direction.Length]);
        for (var i = 0; i < direction.Length; i++)
        {
            changeX[i] = reached.Step * direction[i];
            changeGradient[i] = reached.Gradient[i] - gradient[i];
        }

        // Not where it has no curvature to tell of.
        var curvature = Dot(changeX, changeGradient);
        if (curvature <= Epsilon * -Dot(gradient, changeX))
            return;
        if (_changes.Count == KeptChanges)
            _changes.RemoveAt(0);
        _changes.Add(new Change(changeX, changeGradient, curvature));
    }

    private static double Largest(double[] values)
    {
        var largest = 0.0;
        foreach (var value in values)
            largest = Math.Max(largest, Math.Abs(value));
        return largest;
    }

    private static double Dot(double[] x, double[] y)
    {
        var sum = 0.0;
        for (var i = 0; i < x.Length; i++)
            sum += x[i] * y[i];
        return sum;
    }

    private static void Add(double factor, double[] x, double[] to)
    {
        for (var i = 0; i < x.Length; i++)
            to[i] += factor * x[i];
    }

    private sealed record Point(double[] X, double Step, double Value, double[] Gradient);

    private sealed record Change(double[] X, double[] Gradient, double Curvature);
}
