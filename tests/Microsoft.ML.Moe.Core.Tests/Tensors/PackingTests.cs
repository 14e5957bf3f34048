using System.Runtime.Intrinsics;
using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>Packing by whichever registers the processor has, for the panels of every width of vectors.</summary>
public sealed unsafe class PackingTests
{
    [Theory]
    [InlineData(8)]
    [InlineData(16)]
    [InlineData(32)]
    public void PanelsHoldEveryLaneAndZerosPastTheEnd(int width)
    {
        const int stride = 80, firstLane = 2, firstK = 3;
        var values = TestNumbers.Normal(1, 80 * stride);
        fixed (float* data = values)
        {
            foreach (var depth in new[] { 1, 3, 4, 18, 64 })
            {
                for (var lanes = 1; lanes <= width; lanes++)
                {
                    Check(false, new Matrix(data, stride), lanes, depth);
                    Check(true, new Matrix(data, stride), lanes, depth);
                }
            }
        }

        void Check(bool columns, Matrix source, int lanes, int depth)
        {
            var panel = Enumerable.Repeat(float.NaN, depth * width).ToArray();
            fixed (float* target = panel)
            {
                if (columns)
                    Packing.PackColumns(source, firstLane, lanes, firstK, depth, width, target);
                else
                    Packing.PackRows(source, firstLane, lanes, firstK, depth, width, target);
            }

            var expected = new float[depth * width];
            for (var k = 0; k < depth; k++)
            {
                for (var lane = 0; lane < lanes; lane++)
                {
                    var (row, column) = columns ? (firstK + k, firstLane + lane) : (firstLane + lane, firstK + k);
                    expected[k * width + lane] = values[row * stride + column];
                }
            }

            Assert.Equal(expected, panel);
        }
    }

    [Theory]
    [InlineData(128)]
    [InlineData(256)]
    [InlineData(512)]
    public void StoredPanelsHoldEveryLaneAsAFloat(int vectorBits)
    {
        const int stride = 90, firstLane = 2, firstK = 3;
        Kernels kernels = vectorBits switch
        {
            128 => new Kernels<Simd128, Vector128<float>>(),
            256 => new Kernels<Simd256, Vector256<float>>(),
            _ => new Kernels<Simd512, Vector512<float>>(),
        };
        var random = new Random(1);
        var bits = Enumerable.Range(0, 90 * stride).Select(_ => (ushort)random.Next(1 << 16)).Select(b => (b & 0x7F80) == 0x7F80 ? (ushort)0 : b).ToArray();
        var bytes = bits.Select(b => (sbyte)(b & 255)).ToArray();
        var scales = TestNumbers.Normal(2, 90);
        fixed (ushort* storedBits = bits)
        fixed (sbyte* storedBytes = bytes)
        fixed (float* rowScales = scales)
        {
            foreach (var isTransposed in new[] { true, false })
            {
                var inBFloat16 = new Matrix(null, stride, isTransposed) { Stored = (byte*)storedBits };
                var inInt8 = new Matrix(null, stride, isTransposed) { Stored = (byte*)storedBytes, Scales = rowScales };
                foreach (var depth in new[] { 1, 3, 7, 8, 15, 16, 21, 37, 64 })
                {
                    for (var lanes = 1; lanes <= kernels.TileColumns; lanes++)
                    {
                        Check(inBFloat16, lanes, depth, (row, column) => BitConverter.UInt32BitsToSingle((uint)bits[row * stride + column] << 16));
                        Check(inInt8, lanes, depth, (row, column) => scales[row] * bytes[row * stride + column]);
                    }
                }
            }
        }

        void Check(in Matrix source, int lanes, int depth, Func<int, int, float> at)
        {
            var width = kernels.TileColumns;
            var panel = Enumerable.Repeat(float.NaN, depth * width).ToArray();
            fixed (float* target = panel)
                Packing.Widen(kernels, source, firstLane, lanes, firstK, depth, target);
            var expected = new float[depth * width];
            for (var k = 0; k < depth; k++)
            {
                for (var lane = 0; lane < lanes; lane++)
                    expected[k * width + lane] = source.IsTransposed ? at(firstLane + lane, firstK + k) : at(firstK + k, firstLane + lane);
            }

            Assert.Equal(expected, panel);
        }
    }
}
