using System.Runtime.InteropServices;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Torch;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>What a user reads when memory runs out.</summary>
public sealed class OutOfMemoryTests
{
    [Theory]
    [InlineData("CUDA out of memory. Tried to allocate 2.00 GiB (GPU 0; 8.00 GiB total capacity)\nException raised from malloc", true)]
    [InlineData("[enforce fail at alloc_cpu.cpp:66] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes.", true)]
    [InlineData("mat1 and mat2 shapes cannot be multiplied (3x4 and 5x6)", false)]
    public void ErrorsOfMemoryAreToldFromOthers(string message, bool expected) =>
        Assert.Equal(expected, OutOfMemory.Is(new LibtorchException(message)));

    [Fact]
    public void ErrorNamesDeviceBatchAndWhatToDo()
    {
        var cause = new LibtorchException("CUDA out of memory. Tried to allocate 2.00 GiB\nException raised from malloc");
        var error = OutOfMemory.Error(cause, "GPU 1", new SequenceLayout([0, 96, 4096]));
        Assert.Same(cause, error.InnerException);
        foreach (var part in new[] { "GPU 1", "size 2", "4096 tokens", "BatchSize", "AccumulationSteps", "2.00 GiB" })
            Assert.Contains(part, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("malloc", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("batch of", OutOfMemory.Error(cause, "GPU 1", null).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheReasonIsFoundBelowWhereInAScriptItWas()
    {
        var cause = new LibtorchException("The following operation failed in the TorchScript interpreter.\nstep(a)\nCUDA out of memory. Tried 2 GiB\nmalloc");
        Assert.EndsWith("libtorch said: CUDA out of memory. Tried 2 GiB", OutOfMemory.Error(cause, "GPU 1", null).Message, StringComparison.Ordinal);
    }

    /// <summary>TorchSharp raises the base class itself.</summary>
    private sealed class LibtorchException(string message) : ExternalException(message);
}
