using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Published encoders on the managed engine.</summary>
public sealed class ManagedGoldenEncoderTests : GoldenEncoderTests
{
    protected override Engine CreateEngine() => new ManagedEngine();
}
