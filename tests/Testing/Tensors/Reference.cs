using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>Operations written as plainly as possible, in double precision.</summary>
internal static class Reference
{
    public static double Activate(Activation activation, double z) => activation switch
    {
        Activation.None => z,
        Activation.Relu => Math.Max(z, 0),
        Activation.GeluTanh => 0.5 * z * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (z + 0.044715 * z * z * z))),
        Activation.Silu => z / (1 + Math.Exp(-z)),
        Activation.GeluErf => z * NormalDistribution(z),
        Activation.Tanh => Math.Tanh(z),
        Activation.Sigmoid => 1 / (1 + Math.Exp(-z)),
        Activation.ClampedSwish => Math.Min(z, 7) / (1 + Math.Exp(-1.702 * Math.Min(z, 7))),
        Activation.ClampedIncrement => 1 + Math.Clamp(z, -7, 7),
        _ => throw new ArgumentOutOfRangeException(nameof(activation)),
    };

    /// <summary>Φ(z): a power series near 0 (Abramowitz and Stegun 26.2.11), a continued fraction further out (26.2.14).</summary>
    public static double NormalDistribution(double z)
    {
        var a = Math.Abs(z);
        var density = Math.Exp(-z * z / 2) / Math.Sqrt(2 * Math.PI);
        if (a < 3)
        {
            var (term, sum) = (z, z);
            for (var i = 1; Math.Abs(term) > 1e-18 * Math.Abs(sum); i++)
                sum += term *= z * z / (2 * i + 1);
            return 0.5 + density * sum;
        }

        var fraction = a;
        for (var i = 200; i > 0; i--)
            fraction = a + i / fraction;
        var tail = density / fraction;
        return z < 0 ? tail : 1 - tail;
    }

    public static double[] Linear(
        ReadOnlySpan<float> x,
        ReadOnlySpan<float> w,
        ReadOnlySpan<float> bias,
        int rows,
        int inputs,
        int outputs,
        Activation activation = Activation.None)
    {
        var y = new double[rows * outputs];
        for (var row = 0; row < rows; row++)
        {
            for (var column = 0; column < outputs; column++)
            {
                double sum = bias.IsEmpty ? 0 : bias[column];
                for (var k = 0; k < inputs; k++)
                    sum += (double)x[row * inputs + k] * w[k * outputs + column];
                y[row * outputs + column] = Activate(activation, sum);
            }
        }

        return y;
    }

    public static double[] Softmax(ReadOnlySpan<double> x)
    {
        var largest = double.NegativeInfinity;
        foreach (var value in x)
            largest = Math.Max(largest, value);
        var y = new double[x.Length];
        var sum = 0.0;
        for (var i = 0; i < x.Length; i++)
            sum += y[i] = Math.Exp(x[i] - largest);
        for (var i = 0; i < x.Length; i++)
            y[i] /= sum;
        return y;
    }

    public static double[] Softmax(ReadOnlySpan<float> x) => Softmax(Doubles(x));

    public static double LogSumExp(ReadOnlySpan<float> x)
    {
        var sum = 0.0;
        foreach (var value in x)
            sum += Math.Exp(value);
        return Math.Log(sum);
    }

    /// <summary>Index of the largest number, the first of equals.</summary>
    public static int Largest(ReadOnlySpan<float> x)
    {
        var largest = 0;
        for (var i = 1; i < x.Length; i++)
            largest = x[i] > x[largest] ? i : largest;
        return largest;
    }

    public static double[] Doubles(ReadOnlySpan<float> x)
    {
        var y = new double[x.Length];
        for (var i = 0; i < x.Length; i++)
            y[i] = x[i];
        return y;
    }

    public static double[] LayerNorm(ReadOnlySpan<float> x, ReadOnlySpan<float> gain, ReadOnlySpan<float> bias, int columns, double epsilon)
    {
        var y = new double[x.Length];
        for (var row = 0; row < x.Length / columns; row++)
        {
            var values = Doubles(x.Slice(row * columns, columns));
            var mean = values.Sum() / columns;
            var variance = values.Sum(v => (v - mean) * (v - mean)) / columns;
            for (var c = 0; c < columns; c++)
                y[row * columns + c] = gain[c] * (values[c] - mean) / Math.Sqrt(variance + epsilon) + bias[c];
        }

        return y;
    }

    public static double[] RmsNorm(ReadOnlySpan<float> x, ReadOnlySpan<float> gain, int columns, double epsilon)
    {
        var y = new double[x.Length];
        for (var row = 0; row < x.Length / columns; row++)
        {
            var values = Doubles(x.Slice(row * columns, columns));
            var root = Math.Sqrt(values.Sum(v => v * v) / columns + epsilon);
            for (var c = 0; c < columns; c++)
                y[row * columns + c] = gain[c] * values[c] / root;
        }

        return y;
    }

    /// <summary>Attention of each query over the tokens of its sequence; zeros where there is none.</summary>
    public static double[] Attention(ReadOnlySpan<float> qkv, SequenceLayout layout, int heads, int width)
    {
        var y = new double[layout.Tokens * width];
        var headWidth = width / heads;
        for (var sequence = 0; sequence < layout.Sequences; sequence++)
        {
            for (var t = layout.Offsets[sequence]; t < layout.Offsets[sequence + 1]; t++)
            {
                for (var head = 0; head < heads; head++)
                {
                    var keys = new List<int>();
                    var scores = new List<double>();
                    for (var key = layout.Offsets[sequence]; key < layout.Offsets[sequence + 1]; key++)
                    {
                        if (!layout.IsToken(key))
                            continue;
                        var dot = 0.0;
                        for (var d = 0; d < headWidth; d++)
                            dot += (double)qkv[t * 3 * width + head * headWidth + d] * qkv[key * 3 * width + width + head * headWidth + d];
                        keys.Add(key);
                        scores.Add(dot / Math.Sqrt(headWidth));
                    }

                    var p = Softmax(scores.ToArray());
                    for (var i = 0; i < keys.Count; i++)
                    {
                        for (var d = 0; d < headWidth; d++)
                            y[t * width + head * headWidth + d] += p[i] * qkv[keys[i] * 3 * width + 2 * width + head * headWidth + d];
                    }
                }
            }
        }

        return y;
    }
}
