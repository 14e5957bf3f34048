using System.Numerics;
using System.Runtime.InteropServices;

namespace Microsoft.ML.Moe.LinearModels;

/// <summary>
/// Descends a <see cref="SoftmaxRegression"/> to its only minimum by Newton's method: each step solves for the direction by conjugate
/// gradients with the Hessian's diagonal, roughly far away and better close by, and is shortened until it descends (Lin, Weng and
/// Keerthi 2008, "Trust region Newton method for large-scale logistic regression"; Galli and Lin 2021 for line search in its place).
/// </summary>
/// <param name="objective">The objective.</param>
internal sealed class NewtonMethod(SoftmaxRegression objective)
{
    private const int MostSteps = 100;
    private const int MostInnerSteps = 100;
    private const double RoughestSolution = 0.1;
    private const double SufficientDescent = 1e-4;
    private const double SmallestStep = 1e-6;

    private readonly ParallelBlocks _blocks = objective.Blocks;
    private readonly float[] _gradient = new float[objective.Length];
    private readonly float[] _diagonal = new float[objective.Length];
    private readonly float[] _direction = new float[objective.Length];
    private readonly float[] _residual = new float[objective.Length];
    private readonly float[] _conjugate = new float[objective.Length];
    private readonly float[] _product = new float[objective.Length];

    /// <summary>Norm of the gradient at zero weights, where no penalty counts.</summary>
    private double? _scale;

    /// <summary>Steps taken.</summary>
    public int Steps { get; private set; }

    /// <summary>Products with the Hessian that they took.</summary>
    public int Products { get; private set; }

    /// <summary>Norm of the gradient where it ended, as a share of that at zero weights.</summary>
    public double RelativeGradient { get; private set; }

    /// <summary>Descends; at least one step, as a start that was good for a near objective would else be the end.</summary>
    /// <param name="w">Weights to start from, which become those of the minimum.</param>
    /// <param name="tolerance">Norm of the gradient to end at, as a share of that at zero weights.</param>
    /// <param name="stepTaken">Is told the objective after each step.</param>
    /// <param name="stop">Ends it, with an exception.</param>
    /// <returns>The objective.</returns>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public double Descend(float[] w, double tolerance, Action<double>? stepTaken = null, CancellationToken stop = default)
    {
        var isAtZero = !w.AsSpan().ContainsAnyExcept(0f);
        if (!isAtZero)
            _scale ??= NormAtZero();
        var value = objective.Evaluate(w, _gradient);
        var scale = _scale ??= Math.Sqrt(_blocks.Dot(_gradient, _gradient));
        for (Steps = 0; ; Steps++)
        {
            var norm = Math.Sqrt(_blocks.Dot(_gradient, _gradient));
            RelativeGradient = scale > 0 ? norm / scale : 0;
            if ((RelativeGradient <= tolerance && Steps > 0) || Steps == MostSteps)
                return value;
            objective.Diagonal(w, _diagonal);
            Solve(w, norm * Math.Min(RoughestSolution, Math.Sqrt(RelativeGradient)), stop);
            if (Search(w, ref value) is false)
                return value;
            stepTaken?.Invoke(value);
        }
    }

    /// <summary>Solves Hessian · direction = −gradient until the residual's norm is at most so large.</summary>
    private void Solve(float[] w, double residualNorm, CancellationToken stop)
    {
        _direction.AsSpan().Clear();
        _blocks.Over(w.Length, (start, end) =>
        {
            for (var i = start; i < end; i++)
                _residual[i] = -_gradient[i];
            Condition(start, end, _conjugate);
        });
        var rz = _blocks.Dot(_residual, _conjugate);
        for (var step = 0; step < MostInnerSteps && rz > 0; step++)
        {
            stop.ThrowIfCancellationRequested();
            objective.Curve(w, _conjugate, _product);
            Products++;
            var curvature = _blocks.Dot(_conjugate, _product);
            if (!(curvature > 0))
                return;
            var length = (float)(rz / curvature);
            _blocks.Over(w.Length, (start, end) =>
            {
                FloatVectors.Add(_conjugate.AsSpan(start..end), length, _direction.AsSpan(start..end));
                FloatVectors.Add(_product.AsSpan(start..end), -length, _residual.AsSpan(start..end));
                Condition(start, end, _product);
            });
            if (_blocks.Dot(_residual, _residual) <= residualNorm * residualNorm)
                return;
            var next = _blocks.Dot(_residual, _product);
            var keep = (float)(next / rz);
            _blocks.Over(w.Length, (start, end) => FloatVectors.AddTo(_product.AsSpan(start..end), keep, _conjugate.AsSpan(start..end)));
            rz = next;
        }
    }

    /// <summary>Goes along the direction as far as it descends, and takes the gradient there.</summary>
    /// <returns>Whether it went at all.</returns>
    private bool Search(float[] w, ref double value)
    {
        var slope = _blocks.Dot(_gradient, _direction);
        var (step, gone) = (1.0, 0.0);
        for (; step >= SmallestStep; step /= 2)
        {
            Move(w, step - gone);
            gone = step;
            var reached = objective.Evaluate(w, _gradient);
            if (reached <= value + SufficientDescent * step * slope)
            {
                value = reached;
                return true;
            }
        }

        Move(w, -gone);
        objective.Evaluate(w, _gradient);
        return false;
    }

    private void Move(float[] w, double step) => _blocks.Over(
        w.Length, (start, end) => FloatVectors.Add(_direction.AsSpan(start..end), (float)step, w.AsSpan(start..end)));

    private double NormAtZero()
    {
        _direction.AsSpan().Clear();
        objective.Evaluate(_direction, _gradient);
        return Math.Sqrt(_blocks.Dot(_gradient, _gradient));
    }

    /// <summary>Divides the residual by the Hessian's diagonal.</summary>
    private void Condition(int start, int end, float[] result)
    {
        var to = MemoryMarshal.Cast<float, Vector<float>>(result.AsSpan(start..end));
        var residual = MemoryMarshal.Cast<float, Vector<float>>(_residual.AsSpan(start..end));
        var diagonal = MemoryMarshal.Cast<float, Vector<float>>(_diagonal.AsSpan(start..end));
        for (var i = 0; i < to.Length; i++)
            to[i] = Vector.ConditionalSelect(Vector.GreaterThan(diagonal[i], Vector<float>.Zero), residual[i] / diagonal[i], Vector<float>.Zero);
        for (var i = start + to.Length * Vector<float>.Count; i < end; i++)
            result[i] = _diagonal[i] > 0 ? _residual[i] / _diagonal[i] : 0f;
    }
}
