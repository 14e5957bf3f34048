using Microsoft.ML.Moe.Onnx.Graph;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Onnx.Tracing;

/// <summary>What an operation gives in an export: a value of the graph. It has a shape, that of the traced rows, and no numbers.</summary>
/// <param name="value">The value.</param>
/// <param name="shape">Sizes of the dimensions.</param>
internal sealed class TracedTensor(Value value, params ReadOnlySpan<int> shape) : Tensor(shape)
{
    /// <summary>The value.</summary>
    public Value Value => value;

    /// <summary>Whether all numbers are known to be 1.</summary>
    public bool IsOfOnes { get; init; }

    /// <inheritdoc/>
    public override bool RequiresGradient => false;

    /// <inheritdoc/>
    protected internal override void SetRequiresGradient(bool requiresGradient) => throw Unsupported.Numbers();

    /// <inheritdoc/>
    public override void CopyTo(Span<float> destination) => throw Unsupported.Numbers();

    /// <inheritdoc/>
    internal override void CopyTo(int first, Span<float> destination) => throw Unsupported.Numbers();

    /// <inheritdoc/>
    public override void CopyFrom(ReadOnlySpan<float> source) => throw Unsupported.Numbers();

    /// <inheritdoc/>
    public override void CopyGradientTo(Span<float> destination) => throw Unsupported.Numbers();

    /// <inheritdoc/>
    internal override ParameterGradient? TakeGradient(GradientBuffers buffers) => throw Unsupported.Numbers();

    /// <inheritdoc/>
    internal override void PutGradient(ParameterGradient? gradient, GradientBuffers buffers) => throw Unsupported.Numbers();
}
