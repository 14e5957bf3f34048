using System.Runtime.Intrinsics;
using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>How rows are divided.</summary>
public sealed class RowPartsTests
{
    [Fact]
    public void PartsAreWholeTilesOfAboutEqualSizeAndLeaveNothingOut()
    {
        foreach (Kernels kernels in new Kernels[] { new Kernels<Simd512, Vector512<float>>(), new Kernels<Simd128, Vector128<float>>() })
        {
            for (var rows = 0; rows < 700; rows++)
            {
                foreach (var most in new[] { kernels.TileRows, 36, 240 })
                {
                    var parts = new RowParts(kernels, rows, most);
                    var next = 0;
                    var sizes = new List<int>();
                    for (var i = 0; i < parts.Count; i++)
                    {
                        var (first, count) = parts[i];
                        Assert.Equal(next, first);
                        Assert.InRange(count, 1, Math.Min(most, parts.MostRows));
                        Assert.Equal(0, first % kernels.TileRows);
                        sizes.Add((count + kernels.TileRows - 1) / kernels.TileRows);
                        next += count;
                    }

                    Assert.Equal(rows, next);
                    if (sizes.Count > 0)
                        Assert.InRange(sizes.Max() - sizes.Min(), 0, 1);
                }
            }
        }
    }
}
