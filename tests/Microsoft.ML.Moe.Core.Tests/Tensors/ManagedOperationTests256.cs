using System.Runtime.Intrinsics;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>The kernels for 256-bit vectors.</summary>
public sealed class ManagedOperationTests256 : OperationTests
{
    protected override Engine CreateEngine() => new ManagedEngine(1, new Kernels<Simd256, Vector256<float>>());
}
