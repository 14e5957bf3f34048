using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Onnx.Tracing;

// What only training asks for.
internal sealed partial class OnnxTape
{
    /// <inheritdoc/>
    protected override Tensor LoadBalancingLossCore(Tensor logitsTE, SequenceLayout layout) =>
        throw Unsupported.Operation(nameof(LoadBalancingLoss));

    /// <inheritdoc/>
    protected override Tensor RouterZLossCore(Tensor logitsTE, SequenceLayout layout) => throw Unsupported.Operation(nameof(RouterZLoss));

    /// <inheritdoc/>
    protected override Tensor CrossEntropyCore(
        Tensor logitsBC, ReadOnlySpan<int> targets, ReadOnlySpan<float> rowWeights, float labelSmoothing) =>
        throw Unsupported.Operation(nameof(CrossEntropy));

    /// <inheritdoc/>
    protected override Tensor SoftTargetCrossEntropyCore(Tensor logitsBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights) =>
        throw Unsupported.Operation(nameof(SoftTargetCrossEntropy));

    /// <inheritdoc/>
    protected override Tensor SquaredErrorCore(Tensor valuesBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights) =>
        throw Unsupported.Operation(nameof(SquaredError));

    /// <inheritdoc/>
    protected override Tensor BinaryCrossEntropyCore(Tensor logitsBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights) =>
        throw Unsupported.Operation(nameof(BinaryCrossEntropy));

    /// <inheritdoc/>
    protected override Tensor HuberErrorCore(Tensor valuesBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights, float delta) =>
        throw Unsupported.Operation(nameof(HuberError));

    /// <inheritdoc/>
    protected override Tensor QuantileErrorCore(
        Tensor valuesBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights, ReadOnlySpan<float> quantiles) =>
        throw Unsupported.Operation(nameof(QuantileError));

    /// <inheritdoc/>
    protected override Tensor FocalLossCore(Tensor logitsBC, ReadOnlySpan<int> targets, ReadOnlySpan<float> rowWeights, float gamma) =>
        throw Unsupported.Operation(nameof(FocalLoss));

    /// <inheritdoc/>
    protected override Tensor BinaryFocalLossCore(
        Tensor logitsBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights, float gamma, float? alpha) =>
        throw Unsupported.Operation(nameof(BinaryFocalLoss));

    /// <inheritdoc/>
    protected override Tensor MeanCore(Tensor x) => throw Unsupported.Operation(nameof(Mean));

    /// <inheritdoc/>
    protected override Tensor MultiplyTransposedCore(Tensor xAD, Tensor yBD) => throw Unsupported.Operation(nameof(MultiplyTransposed));

    /// <inheritdoc/>
    protected override void BackwardCore(Tensor loss, float scale) => throw Unsupported.Operation(nameof(Backward));
}
