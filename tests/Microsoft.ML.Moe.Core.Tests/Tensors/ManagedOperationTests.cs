using System.Runtime.Intrinsics;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>The managed engine with the kernels that it chooses itself.</summary>
public sealed class ManagedOperationTests : OperationTests
{
    protected override Engine CreateEngine() => new ManagedEngine(threads: 2);
}

/// <summary>The kernels for 512-bit vectors, whatever the processor has.</summary>
public sealed class ManagedOperationTests512 : OperationTests
{
    protected override Engine CreateEngine() => new ManagedEngine(1, new Kernels<Simd512, Vector512<float>>());
}

/// <summary>The kernels for 256-bit vectors.</summary>
public sealed class ManagedOperationTests256 : OperationTests
{
    protected override Engine CreateEngine() => new ManagedEngine(1, new Kernels<Simd256, Vector256<float>>());
}

/// <summary>The kernels for 128-bit vectors.</summary>
public sealed class ManagedOperationTests128 : OperationTests
{
    protected override Engine CreateEngine() => new ManagedEngine(1, new Kernels<Simd128, Vector128<float>>());
}
