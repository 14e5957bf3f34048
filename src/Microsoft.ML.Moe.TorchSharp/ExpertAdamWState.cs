using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>
/// Stacked experts, of which those that have no gradient stay as they are, and each counts its own steps. Which they are is known to the
/// device alone: all are computed, and what the others would change is multiplied by 0.
/// </summary>
internal sealed class ExpertAdamWState(string name, TorchTensor tensor, ParameterGroup group) : AdamWState(name, tensor, group)
{
    private readonly int _experts = tensor.Shape[0];
    private torch.Tensor? _stepsE1;

    /// <summary>The gradient, flat; null where no backward pass has left one.</summary>
    public torch.Tensor? Gradient => Tensor.RequiresGradient ? Tensor.Value.grad?.reshape(Tensor.Length) : null;

    protected override int[] Steps
    {
        get => _stepsE1 is null
            ? new int[_experts]
            : Array.ConvertAll(DeviceMemory.ToArray(_stepsE1.to_type(torch.ScalarType.Float32)), step => (int)step);
        set
        {
            _stepsE1?.Dispose();
            _stepsE1 = Tensor.Engine.Device.Upload(Array.ConvertAll(value, step => (float)step), [_experts, 1])
                .to_type(torch.ScalarType.Float64).DetachFromDisposeScope();
        }
    }

    /// <summary>Updates the experts that have a gradient.</summary>
    public void Step(float learningRateFactor)
    {
        if (Gradient is null)
            return;
        using var scope = torch.NewDisposeScope();
        if (_stepsE1 is null)
            Steps = new int[_experts];
        var touchedE1 = Tensor.TouchedE is { } touchedE
            ? touchedE.to_type(torch.ScalarType.Float64).unsqueeze(1)
            : torch.ones([_experts, 1], torch.ScalarType.Float64, Tensor.Engine.Device);
        _stepsE1!.PlusInPlace(touchedE1);
        // an expert that has taken no step yet would divide by 0
        var numberE1 = _stepsE1!.clamp_min(Scalars.Of(1f));
        var rate = (double)(Group.LearningRate * learningRateFactor);
        var rateE1 = Single(touchedE1.mul(Scalars.Of(rate)).div(Correction(Group.Beta1, numberE1)));
        var rootE1 = Single(Correction(Group.Beta2, numberE1).rsqrt());
        var (gradientEN, firstEN, secondEN, valueEN) = (Experts(Gradient), Experts(First), Experts(Second), Experts(Tensor.Value.detach()));
        firstEN.mul_(Kept(1f - Group.Beta1)).add_(gradientEN, Scalars.Of(1f - Group.Beta1));
        secondEN.mul_(Kept(1f - Group.Beta2)).addcmul_(gradientEN, gradientEN, Scalars.Of(1f - Group.Beta2));
        var changeEN = secondEN.sqrt().mul_(rootE1).PlusInPlace(Group.Epsilon).reciprocal_().mul_(firstEN).mul_(rateE1);
        if (Group.WeightDecay != 0f)
            valueEN.mul_(Kept((float)(rate * Group.WeightDecay)));
        valueEN.sub_(changeEN);

        // 1 − share, of an expert without a gradient 1; its gradient is zeros
        torch.Tensor Kept(float share) => Single(touchedE1.mul(Scalars.Of(-(double)share)).Plus(1.0));
    }

    public override void Dispose()
    {
        base.Dispose();
        _stepsE1?.Dispose();
    }

    // 1 − betaⁿ; TorchSharp has no power of a number with a tensor as exponent
    private static torch.Tensor Correction(float beta, torch.Tensor numberE1) =>
        numberE1.mul(Scalars.Of(Math.Log(beta))).exp().neg().Plus(1.0);

    private static torch.Tensor Single(torch.Tensor values) => values.to_type(torch.ScalarType.Float32);

    private torch.Tensor Experts(torch.Tensor flat) => flat.reshape(_experts, Tensor.Length / _experts);
}
