using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>
/// Compares the gradients of a function of parameters with finite differences. The result is read out to one number by
/// Σ over rows of u·tanh(row·W), so that every row's gradient differs; the differences are taken in double precision and to fourth
/// order.
/// </summary>
internal static class GradientCheck
{
    private const int ReadoutWidth = 3;

    public static void Run(
        Engine engine, Func<Tape, Tensor[], Tensor> function, Input[] inputs, float step = 0.02f, double tolerance = 2e-4)
    {
        var parameters = inputs
            .Select((input, i) => engine.CreateParameter($"input{i}", input.Shape, input.Values, input.SparseRows))
            .ToArray();
        var tensors = parameters.Select(p => p.Value).ToArray();
        Run(engine, tape => function(tape, tensors), parameters, step, tolerance);
    }

    /// <summary>As above, of parameters that are there.</summary>
    public static void Run(
        Engine engine, Func<Tape, Tensor> function, IReadOnlyList<Parameter> parameters, float step = 0.02f, double tolerance = 2e-4)
    {
        using (var tape = engine.BeginTape(training: true, seed: 7))
        {
            var y = function(tape);
            Assert.True(y.RequiresGradient);
            tape.Backward(Readout(tape, y));
        }

        for (var i = 0; i < parameters.Count; i++)
        {
            var tensor = parameters[i].Value;
            var gradient = new float[tensor.Length];
            tensor.CopyGradientTo(gradient);
            var values = tensor.ToArray();
            for (var j = 0; j < values.Length; j++)
            {
                double At(float offset)
                {
                    var changed = (float[])values.Clone();
                    changed[j] += offset;
                    tensor.CopyFrom(changed);
                    using var tape = engine.BeginTape(training: true, seed: 7);
                    return ReadoutOnHost(function(tape));
                }

                var expected = (8 * (At(step) - At(-step)) - (At(2 * step) - At(-2 * step))) / (12 * step);
                var allowed = tolerance * Math.Max(1, Math.Abs(expected));
                Assert.True(
                    Math.Abs(expected - gradient[j]) <= allowed,
                    $"{parameters[i].Name}, element {j}: gradient {gradient[j]}, finite difference {expected}.");
            }

            tensor.CopyFrom(values);
        }
    }

    /// <summary>One element that depends on all elements of y, by operations of the tape.</summary>
    public static Tensor Readout(Tape tape, Tensor y)
    {
        if (y.Length == 1 && y.Rank == 1)
            return y;
        var inner = tape.Constant(InnerWeights(y.Columns), y.Columns, ReadoutWidth);
        var outer = tape.Constant(OuterWeights, ReadoutWidth, 1);
        var rows = tape.Linear(tape.Linear(y, inner, null, Activation.Tanh), outer);
        if (y.Rank == 1)
            return rows;
        return tape.Scale(tape.MeanPool(rows, new SequenceLayout([0, y.Shape[0]])), y.Shape[0]);
    }

    private static float[] OuterWeights => [0.7f, -1.1f, 0.4f];

    private static float[] InnerWeights(int columns) =>
        TestNumbers.Normal(99, columns * ReadoutWidth).Select(w => w / MathF.Sqrt(Math.Max(1, columns))).ToArray();

    private static double ReadoutOnHost(Tensor y)
    {
        var values = y.ToArray();
        if (y.Length == 1 && y.Rank == 1)
            return values[0];
        var inner = InnerWeights(y.Columns);
        var sum = 0.0;
        for (var row = 0; row < y.Rows; row++)
        {
            for (var k = 0; k < ReadoutWidth; k++)
            {
                var dot = 0.0;
                for (var c = 0; c < y.Columns; c++)
                    dot += (double)values[row * y.Columns + c] * inner[c * ReadoutWidth + k];
                sum += OuterWeights[k] * Math.Tanh(dot);
            }
        }

        return sum;
    }
}
