using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>A parameter with its moments, which are made at the first step. For sparse rows every row counts its own steps.</summary>
internal sealed class AdamWState(string name, TorchTensor tensor, ParameterGroup group) : IDisposable
{
    private readonly AdamWEntries _entries = new(name);
    private torch.Tensor? _m;
    private torch.Tensor? _v;
    private int[]? _stepsOfRow;
    private int _steps;

    public TorchTensor Tensor => tensor;

    /// <summary>Updates all values; without a gradient as if it were 0.</summary>
    public void StepAll(float learningRateFactor)
    {
        MakeMoments();
        var gradient = tensor.Value.grad;
        Average(_m!, _v!, gradient);
        var (first, second) = Corrections(++_steps);
        var rate = group.LearningRate * learningRateFactor;
        var denominator = _v!.sqrt().mul_(Scalars.Of(1f / second)).add_(Scalars.Of(group.Epsilon));
        tensor.Value.mul_(Scalars.Of(1f - rate * group.WeightDecay)).addcdiv_(_m!, denominator, Scalars.Of(-rate / first));
    }

    /// <summary>Updates the rows that have a gradient.</summary>
    public void StepRows(float learningRateFactor)
    {
        if (Gradient() is not { } gradient)
            return;
        MakeMoments();
        var device = tensor.Engine.Device;
        var stepsOfRow = _stepsOfRow ??= new int[tensor.Shape[0]];
        var rate = group.LearningRate * learningRateFactor;
        var rates = new float[gradient.Rows.Length];
        var factors = new float[gradient.Rows.Length];
        for (var i = 0; i < rates.Length; i++)
        {
            var (first, second) = Corrections(++stepsOfRow[gradient.Rows[i]]);
            (rates[i], factors[i]) = (rate / first, 1f / second);
        }

        var rowsU = device.Upload(gradient.Rows);
        var (mVD, vVD, valueVD) = (Rows(_m!), Rows(_v!), Rows(tensor.Value));
        var (mUD, vUD) = (mVD.index_select(0, rowsU), vVD.index_select(0, rowsU));
        Average(mUD, vUD, gradient.GradientUD);
        mVD.index_copy_(0, rowsU, mUD);
        vVD.index_copy_(0, rowsU, vUD);
        var denominatorUD = vUD.sqrt_().mul_(device.Upload(factors).unsqueeze(1)).add_(Scalars.Of(group.Epsilon));
        var changeUD = mUD.div_(denominatorUD).mul_(device.Upload(rates).unsqueeze(1));
        var valueUD = valueVD.index_select(0, rowsU).mul_(Scalars.Of(1f - rate * group.WeightDecay)).sub_(changeUD);
        valueVD.index_copy_(0, rowsU, valueUD);
    }

    /// <summary>The moments and steps; nothing before the first step.</summary>
    public IEnumerable<NamedValues> Export()
    {
        if (_m is null || _v is null)
            yield break;
        yield return new NamedValues(_entries.First, tensor.Shape.ToArray(), DeviceMemory.ToArray(_m));
        yield return new NamedValues(_entries.Second, tensor.Shape.ToArray(), DeviceMemory.ToArray(_v));
        int[] steps = _stepsOfRow ?? [_steps];
        yield return new NamedValues(_entries.Steps, [steps.Length], Array.ConvertAll(steps, step => (float)step));
    }

    /// <summary>Checks that what <see cref="Export"/> has given fits.</summary>
    /// <exception cref="ArgumentException">It does not; the message names the parameter.</exception>
    public void CheckFits(IReadOnlyDictionary<string, NamedValues> state) =>
        _entries.CheckFits(state, tensor.Shape, countsRows: tensor.RowGradient is not null);

    /// <summary>Takes up what <see cref="Export"/> has given.</summary>
    public void Import(IReadOnlyDictionary<string, NamedValues> state)
    {
        Dispose();
        (_m, _v, _stepsOfRow, _steps) = (null, null, null, 0);
        if (!state.TryGetValue(_entries.First, out var first))
            return;
        var device = tensor.Engine.Device;
        _m = device.Upload(first.Values, tensor.Shape).DetachFromDisposeScope();
        _v = device.Upload(state[_entries.Second].Values, tensor.Shape).DetachFromDisposeScope();
        var steps = Array.ConvertAll(state[_entries.Steps].Values, step => (int)step);
        if (tensor.RowGradient is null)
            _steps = steps[0];
        else
            _stepsOfRow = steps;
    }

    public void Dispose()
    {
        _m?.Dispose();
        _v?.Dispose();
    }

    private (int[] Rows, torch.Tensor GradientUD)? Gradient()
    {
        // An operation other than a look-up of rows leaves the gradient of all rows.
        if (tensor.Value.grad is { } all)
            tensor.RowGradient!.Add([.. Enumerable.Range(0, tensor.Shape[0])], Rows(all).DetachFromDisposeScope());
        return tensor.RowGradient!.Sum(tensor.Engine.Device);
    }

    // A view: the tables are contiguous.
    private torch.Tensor Rows(torch.Tensor table) => table.reshape(tensor.Shape[0], tensor.Length / Math.Max(1, tensor.Shape[0]));

    // m = β₁·m + (1 − β₁)·g, v = β₂·v + (1 − β₂)·g²
    private void Average(torch.Tensor m, torch.Tensor v, torch.Tensor? gradient)
    {
        m.mul_(Scalars.Of(group.Beta1));
        v.mul_(Scalars.Of(group.Beta2));
        if (gradient is null)
            return;
        m.add_(gradient, Scalars.Of(1f - group.Beta1));
        v.addcmul_(gradient, gradient, Scalars.Of(1f - group.Beta2));
    }

    // 1 − β₁ᵗ and √(1 − β₂ᵗ)
    private (float First, float Second) Corrections(int step) =>
        ((float)(1 - Math.Pow(group.Beta1, step)), (float)Math.Sqrt(1 - Math.Pow(group.Beta2, step)));

    private void MakeMoments()
    {
        _m ??= torch.zeros_like(tensor.Value).DetachFromDisposeScope();
        _v ??= torch.zeros_like(tensor.Value).DetachFromDisposeScope();
    }
}
