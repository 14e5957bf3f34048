using System.Runtime.Intrinsics;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>The inner loops of attention against direct ones, for every width of vectors.</summary>
public sealed unsafe class AttentionKernelTests
{
    private const int Stride = 67;

    public static TheoryData<int> Widths => KernelTests.Widths;

    [Theory]
    [MemberData(nameof(Widths))]
    public void UnpackedProductEqualsALoop(int bits)
    {
        var kernels = KernelTests.Create(bits);
        foreach (var (columns, depth) in new[] { (1, 1), (3, 2), (16, 5), (17, 1), (32, 7), (33, 4), (64, 3) })
        {
            for (var rows = 1; rows <= 2 * kernels.TileRows + 1; rows++)
            {
                foreach (var transposed in new[] { false, true })
                    CheckProduct(kernels, rows, columns, depth, transposed);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void SoftmaxOfColumnsEqualsThatOfRows(int bits)
    {
        var kernels = KernelTests.Create(bits);
        const float factor = 0.3f;
        foreach (var (rows, columns) in new[] { (1, 1), (2, 17), (30, 5), (7, 64) })
        {
            // Differences within a column reach 86, of which single precision leaves five digits.
            var x = TestNumbers.Normal(1, rows * Stride, 70f);
            var y = (float[])x.Clone();
            fixed (float* p = y)
                kernels.SoftmaxColumns(factor, p, Stride, rows, columns);
            for (var column = 0; column < columns; column++)
            {
                var expected = Reference.Softmax([.. Enumerable.Range(0, rows).Select(row => (double)factor * x[row * Stride + column])]);
                for (var row = 0; row < rows; row++)
                    Assert.Equal(expected[row], y[row * Stride + column], 2e-5 * expected[row] + 1e-30);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void SoftmaxOfColumnsWithoutFiniteValues(int bits)
    {
        var kernels = KernelTests.Create(bits);
        const int rows = 5;
        var x = Enumerable.Repeat(float.NegativeInfinity, rows * Stride).ToArray();
        (x[2], x[Stride + 2], x[2 * Stride + 3]) = (1f, float.NaN, 80f);
        fixed (float* p = x)
            kernels.SoftmaxColumns(1f, p, Stride, rows, 16);
        for (var row = 0; row < rows; row++)
        {
            Assert.Equal(0f, x[row * Stride]);
            Assert.Equal(float.NaN, x[row * Stride + 2]);
            Assert.Equal(row == 2 ? 1f : 0f, x[row * Stride + 3], 1e-30f);
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void ColumnsAreDroppedAsTheirTransposeIs(int bits)
    {
        var kernels = KernelTests.Create(bits);
        const uint first = 1000, key = 77;
        var threshold = RandomBits.Threshold(0.4f);
        foreach (var (rows, columns) in new[] { (1, 1), (3, 20), (19, 64) })
        {
            var x = TestNumbers.Normal(1, rows * Stride).Select(Math.Abs).ToArray();
            var transposed = new float[columns * rows];
            for (var i = 0; i < transposed.Length; i++)
                transposed[i] = x[i % rows * Stride + i / rows];
            var marked = (float[])x.Clone();
            var kept = new float[rows * 64];
            fixed (float* pMarked = marked, pKept = kept, pTransposed = transposed)
            {
                kernels.DropColumns(2f, pMarked, Stride, pKept, 64, rows, columns, first, key, threshold);
                kernels.Dropout(2f, pTransposed, null, pTransposed, transposed.Length, first, key, threshold);
            }

            for (var i = 0; i < transposed.Length; i++)
            {
                var (row, column) = (i % rows, i / rows);
                var (before, after) = (x[row * Stride + column], kept[row * 64 + column]);
                Assert.Equal(transposed[i], after);
                Assert.Equal(after == 0f ? -before : before, marked[row * Stride + column]);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void GradientOfSoftmaxOfColumnsEqualsALoop(int bits)
    {
        var kernels = KernelTests.Create(bits);
        const float factor = 0.3f, keptFactor = 1.5f;
        foreach (var (rows, columns, drops) in new[] { (1, 1, false), (6, 20, false), (6, 20, true), (30, 64, true) })
        {
            var y = TestNumbers.Normal(1, rows * Stride);
            if (!drops)
                y = [.. y.Select(Math.Abs)];
            var dY = TestNumbers.Normal(2, rows * 64);
            var (dX, kept) = ((float[])dY.Clone(), new float[rows * 64]);
            fixed (float* pY = y, pDX = dX, pKept = kept)
                kernels.SoftmaxColumnsBackward(factor, pY, Stride, pDX, 64, keptFactor, drops ? pKept : null, rows, columns);
            for (var column = 0; column < columns; column++)
            {
                var dot = Enumerable.Range(0, rows).Sum(row => Math.Abs((double)Y(row)) * Gradient(row));
                for (var row = 0; row < rows; row++)
                {
                    Assert.Equal(factor * Math.Abs(Y(row)) * (Gradient(row) - dot), dX[row * 64 + column], 1e-4);
                    Assert.Equal(drops && Y(row) > 0 ? keptFactor * Y(row) : 0f, kept[row * 64 + column]);
                }

                float Y(int row) => y[row * Stride + column];

                double Gradient(int row) => !drops ? dY[row * 64 + column] : Y(row) < 0 ? 0 : keptFactor * (double)dY[row * 64 + column];
            }
        }
    }

    private static void CheckProduct(Kernels kernels, int rows, int columns, int depth, bool transposed)
    {
        // What lies past the first factor's rows is read but has no say.
        var most = rows + kernels.RowMultiple;
        var (rowStride, step) = transposed ? (1, most) : (depth, 1);
        var a = Enumerable.Repeat(float.NaN, most * depth).ToArray();
        var values = TestNumbers.Normal(1, rows * depth);
        for (var i = 0; i < values.Length; i++)
            a[i / depth * rowStride + i % depth * step] = values[i];
        var b = TestNumbers.Normal(2, depth * Stride);
        var before = TestNumbers.Normal(3, (rows + 1) * Stride);
        var (set, added) = ((float[])before.Clone(), (float[])before.Clone());
        fixed (float* pa = a, pb = b, pSet = set, pAdded = added)
        {
            var matrix = new Matrix(pa, transposed ? most : depth, transposed);
            kernels.MultiplyUnpacked(rows, columns, depth, matrix, pb, Stride, pSet, Stride, false);
            kernels.MultiplyUnpacked(rows, columns, depth, matrix, pb, Stride, pAdded, Stride, true);
        }

        for (var i = 0; i < before.Length; i++)
        {
            var (row, column) = (i / Stride, i % Stride);
            if (row == rows || column >= columns)
            {
                Assert.Equal(before[i], set[i]);
                Assert.Equal(before[i], added[i]);
                continue;
            }

            var expected = Enumerable.Range(0, depth).Sum(k => (double)values[row * depth + k] * b[k * Stride + column]);
            Assert.Equal(expected, set[i], 1e-5);
            Assert.Equal(before[i] + set[i], added[i]);
        }
    }
}
