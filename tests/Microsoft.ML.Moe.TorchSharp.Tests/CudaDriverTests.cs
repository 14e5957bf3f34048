using Microsoft.ML.Moe.Tensors.Torch;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>What the CUDA driver is asked, on machines with and without one.</summary>
public sealed class CudaDriverTests
{
    [Theory]
    [InlineData(-1)]
    [InlineData(1000)]
    public void GpusThatAreNotThereHaveNoBFloat16(int gpu)
    {
        Assert.Null(CudaDriver.Generation(gpu));
        Assert.False(CudaDriver.HasBFloat16(gpu));
    }
}
