using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>The managed engine with the kernels that it chooses itself; all work, however little, is divided between threads.</summary>
public sealed class ManagedOperationTests : OperationTests
{
    protected override Engine CreateEngine() => new ManagedEngine(2, Kernels.Create(), smallestWork: 0);
}
