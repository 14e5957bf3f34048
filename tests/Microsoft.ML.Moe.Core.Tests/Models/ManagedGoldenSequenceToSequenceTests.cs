using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Published encoder–decoders on the managed engine.</summary>
public sealed class ManagedGoldenSequenceToSequenceTests : GoldenSequenceToSequenceTests
{
    protected override Engine CreateEngine() => new ManagedEngine();
}
