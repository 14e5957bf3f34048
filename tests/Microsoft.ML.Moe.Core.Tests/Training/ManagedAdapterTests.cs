using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>The managed engine's adapters.</summary>
public sealed class ManagedAdapterTests : AdapterTests
{
    protected override bool IsExact => true;

    protected override Engine CreateEngine() => new ManagedEngine(2);
}
