using System.Runtime.Intrinsics;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>Accuracy of the elementary functions, for every width of vectors.</summary>
public sealed unsafe class KernelTests
{
    public static TheoryData<int> Widths => [128, 256, 512];

    internal static Kernels Create(int bits) => bits switch
    {
        512 => new Kernels<Simd512, Vector512<float>>(),
        256 => new Kernels<Simd256, Vector256<float>>(),
        _ => new Kernels<Simd128, Vector128<float>>(),
    };

    [Theory]
    [MemberData(nameof(Widths))]
    public void ActivationsAreAccurate(int bits)
    {
        var kernels = Create(bits);
        Assert.Equal(bits, kernels.VectorBits);
        float[] z = [.. Enumerable.Range(-40_000, 80_001).Select(i => i / 2000f), 1e-20f, -1e-30f, 0f, 80f, -80f, 1000f, -1000f];
        var y = new float[z.Length];
        foreach (var activation in Enum.GetValues<Activation>())
        {
            fixed (float* source = z, target = y)
                kernels.Activate(activation, source, target, z.Length);
            for (var i = 0; i < z.Length; i++)
            {
                var expected = Expected(activation, z[i]);

                // Far left of 0 the results vanish; there only their smallness matters, but for the error function's.
                var smallest = z[i] < -5 && activation != Activation.GeluErf ? 1e-3 : 1e-30;
                var allowed = (activation == Activation.GeluErf ? 5e-7 : 2e-6) * Math.Max(Math.Abs(expected), smallest);
                Assert.True(Math.Abs(y[i] - expected) <= allowed, $"{activation}({z[i]}) = {y[i]}, expected {expected}.");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void SlopesOfActivationsAreAccurate(int bits)
    {
        var kernels = Create(bits);
        float[] z = [.. Enumerable.Range(-3_001, 6_003).Select(i => i / 200f)];
        float[] ones = [.. z.Select(_ => 1f)];
        var slope = new float[z.Length];
        foreach (var activation in Enum.GetValues<Activation>())
        {
            fixed (float* source = z, pOnes = ones, target = slope)
                kernels.ActivateBackward(activation, source, pOnes, target, z.Length);
            for (var i = 0; i < z.Length; i++)
            {
                const double Step = 1e-4;
                if (IsKink(activation, z[i]))
                    continue;
                var expected = (Expected(activation, z[i] + Step) - Expected(activation, z[i] - Step)) / (2 * Step);
                var allowed = activation == Activation.GeluErf ? 5e-7 : 2e-6;
                Assert.True(Math.Abs(slope[i] - expected) <= allowed, $"{activation}'({z[i]}) = {slope[i]}, expected {expected}.");
            }
        }
    }

    // there differences on both sides are not a slope
    private static bool IsKink(Activation activation, float z) => activation switch
    {
        Activation.Relu => z == 0f,
        Activation.ClampedSwish => z == 7f,
        Activation.ClampedIncrement => MathF.Abs(z) == 7f,
        _ => false,
    };

    [Theory]
    [MemberData(nameof(GeluForms))]
    public void GeluEndsInTheIdentityAndInZero(int bits, Activation gelu)
    {
        var kernels = Create(bits);
        float[] z = [9.5f, 9.6f, 1e20f, float.MaxValue, float.PositiveInfinity, -1e20f, float.MinValue, float.NegativeInfinity, float.NaN];
        float[] ones = [.. z.Select(_ => 1f)];
        var (y, slope) = (new float[z.Length], new float[z.Length]);
        fixed (float* pz = z, pOnes = ones, py = y, pSlope = slope)
        {
            kernels.Activate(gelu, pz, py, z.Length);
            kernels.ActivateBackward(gelu, pz, pOnes, pSlope, z.Length);
        }

        for (var i = 0; i < z.Length; i++)
        {
            Assert.Equal(float.IsNaN(z[i]) || z[i] > 0 ? z[i] : 0f, y[i], 1e-30f);
            Assert.Equal(float.IsNaN(z[i]) ? z[i] : z[i] > 0 ? 1f : 0f, slope[i], 1e-30f);
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void ExponentialIsAccurate(int bits)
    {
        // softmax(x, 0) = (eˣ, 1)/(1 + eˣ)
        var kernels = Create(bits);
        var pair = stackalloc float[2];
        for (var x = -86.9f; x < 0f; x += 0.0137f)
        {
            pair[0] = x;
            pair[1] = 0f;
            var logSum = kernels.Softmax(1f, pair, pair, 2);
            var expected = Math.Exp(x) / (1 + Math.Exp(x));
            Assert.Equal(expected, pair[0], 1e-6 * expected);
            Assert.Equal(Math.Log(1 + Math.Exp(x)), logSum, 1e-6);
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void PartsOfTilesAreThoseOfWholeOnesToTheLastBit(int bits)
    {
        var kernels = Create(bits);
        var (rows, columns) = (kernels.TileRows, kernels.TileColumns);
        foreach (var depth in new[] { 1, 47, 48, 49, 130 })
        {
            var a = TestNumbers.Normal(1, rows * PackedRows.Stride);
            var b = TestNumbers.Normal(2, depth * columns);
            var before = TestNumbers.Normal(3, rows * columns);
            foreach (var accumulate in new[] { false, true })
            {
                var whole = Tile(rows, columns, accumulate);
                for (var height = 1; height <= rows; height++)
                {
                    for (var width = 1; width <= columns; width++)
                    {
                        var part = Tile(height, width, accumulate);
                        for (var i = 0; i < part.Length; i++)
                            Assert.Equal(i / columns < height && i % columns < width ? whole[i] : before[i], part[i]);
                    }
                }
            }

            float[] Tile(int height, int width, bool accumulate)
            {
                var c = (float[])before.Clone();
                fixed (float* pa = a, pb = b, pc = c)
                    kernels.Tile(InferencePrecision.Full, height, width, depth, pa, pb, columns, pc, columns, accumulate);
                return c;
            }
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void TilesAreAddedOnDemand(int bits)
    {
        var kernels = Create(bits);
        var (rows, columns) = (kernels.TileRows, kernels.TileColumns);
        const int depth = 60;
        var stride = columns + 3;
        var a = TestNumbers.Normal(1, rows * PackedRows.Stride);
        var b = TestNumbers.Normal(2, depth * columns);
        var before = TestNumbers.Normal(3, rows * stride);
        var (set, added) = ((float[])before.Clone(), (float[])before.Clone());
        fixed (float* pa = a, pb = b, pSet = set, pAdded = added)
        {
            kernels.Tile(InferencePrecision.Full, rows, columns, depth, pa, pb, columns, pSet, stride, false);
            kernels.Tile(InferencePrecision.Full, rows, columns, depth, pa, pb, columns, pAdded, stride, true);
        }

        for (var i = 0; i < before.Length; i++)
        {
            var (row, column) = (i / stride, i % stride);
            if (column >= columns)
            {
                Assert.Equal(before[i], set[i]);
                Assert.Equal(before[i], added[i]);
                continue;
            }

            var expected = Enumerable.Range(0, depth).Sum(k => (double)a[row * PackedRows.Stride + k] * b[k * columns + column]);
            Assert.Equal(expected, set[i], 1e-4);
            Assert.Equal(before[i] + set[i], added[i]);
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void SoftmaxOfNonFiniteValuesEnds(int bits)
    {
        var kernels = Create(bits);
        foreach (var n in new[] { 1, 5, 16, 33 })
        {
            float[] x = Enumerable.Repeat(float.NegativeInfinity, n).ToArray();
            fixed (float* row = x)
            {
                Assert.Equal(float.NegativeInfinity, kernels.Softmax(1f, row, row, n));
                Assert.Equal(new float[n], x);
                x[n / 2] = float.NaN;
                kernels.Softmax(1f, row, row, n);
                Assert.True(float.IsNaN(x[n / 2]));
                Array.Fill(x, float.PositiveInfinity);
                kernels.Softmax(1f, row, row, n);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void SumsAreAccurate(int bits)
    {
        var kernels = Create(bits);
        foreach (var n in new[] { 0, 1, 7, 16, 31, 33, 250 })
        {
            var x = TestNumbers.Normal(1, n);
            var y = TestNumbers.Normal(2, n);
            fixed (float* px = x, py = y)
            {
                TestNumbers.AssertClose([x.Sum(v => (double)v)], [kernels.Sum(px, n)]);
                TestNumbers.AssertClose([x.Zip(y, (a, b) => (double)a * b).Sum()], [kernels.Dot(px, py, n)]);
                Assert.Equal(x.Sum(v => (double)v * v), Kernels.SumOfSquares(px, n), 1e-12 * (1 + n));
            }
        }
    }

    public static TheoryData<int, Activation> GeluForms
    {
        get
        {
            var data = new TheoryData<int, Activation>();
            foreach (var bits in new[] { 128, 256, 512 })
            {
                data.Add(bits, Activation.GeluTanh);
                data.Add(bits, Activation.GeluErf);
            }

            return data;
        }
    }

    private static double Expected(Activation activation, double z) => activation switch
    {
        // 1 + tanh cancels for z below 0; z·sigmoid(2u) is the same without that.
        Activation.GeluTanh => z / (1 + Math.Exp(-2 * Math.Sqrt(2 / Math.PI) * (z + 0.044715 * z * z * z))),
        _ => Reference.Activate(activation, z),
    };
}
