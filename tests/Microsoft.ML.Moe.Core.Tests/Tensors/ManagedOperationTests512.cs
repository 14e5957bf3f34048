using System.Runtime.Intrinsics;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>The kernels for 512-bit vectors, whatever the processor has.</summary>
public sealed class ManagedOperationTests512 : OperationTests
{
    protected override Engine CreateEngine() => new ManagedEngine(1, new Kernels<Simd512, Vector512<float>>());
}
