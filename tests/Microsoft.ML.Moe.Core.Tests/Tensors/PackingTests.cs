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
}
