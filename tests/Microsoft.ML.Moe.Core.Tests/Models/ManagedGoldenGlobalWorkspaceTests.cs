using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Switch Transformers with a global workspace on the managed engine.</summary>
public sealed class ManagedGoldenGlobalWorkspaceTests : GoldenGlobalWorkspaceTests
{
    protected override Engine CreateEngine() => new ManagedEngine();
}
