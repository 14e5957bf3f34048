using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Published encoders of images on the managed engine.</summary>
public sealed class ManagedGoldenVisionTests : GoldenVisionTests
{
    protected override Engine CreateEngine() => new ManagedEngine();
}
