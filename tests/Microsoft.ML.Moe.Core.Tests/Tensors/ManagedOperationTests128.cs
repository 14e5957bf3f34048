using System.Runtime.Intrinsics;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>The kernels for 128-bit vectors.</summary>
public sealed class ManagedOperationTests128 : OperationTests
{
    protected override Engine CreateEngine() => new ManagedEngine(1, new Kernels<Simd128, Vector128<float>>());
}
