using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>AdamW over parameters of this engine; nothing but the norm of a clipping leaves the device.</summary>
internal sealed class TorchAdamW : Optimizer
{
    private readonly TorchEngine _engine;
    private readonly List<AdamWState> _states = [];
    private bool _isDisposed;

    public TorchAdamW(TorchEngine engine, IReadOnlyList<ParameterGroup> groups)
    {
        _engine = engine;
        var seen = new HashSet<TorchTensor>();
        foreach (var group in groups)
        {
            foreach (var parameter in group.Parameters)
            {
                if (parameter.Value is not TorchTensor { Tape: null } tensor || tensor.Engine != engine)
                    throw new ArgumentException($"Parameter '{parameter.Name}' belongs to another engine.", nameof(groups));
                if (!seen.Add(tensor))
                    throw new ArgumentException($"Parameter '{parameter.Name}' is in two groups.", nameof(groups));
                _states.Add(new AdamWState(parameter.Name, tensor, group));
            }
        }
    }

    public override float ClipGradients(float maxNorm)
    {
        ThrowIfDisposed();
        if (!(maxNorm > 0f))
            throw new ArgumentOutOfRangeException(nameof(maxNorm), maxNorm, "The largest norm must be over 0.");
        using var scope = torch.NewDisposeScope();
        using var noGradient = torch.set_grad_enabled(false);
        torch.Tensor[] gradients =
        [
            .. from state in _states
               where state.Tensor.RowGradient is null
               let gradient = state.Tensor.Value.grad
               where gradient is not null
               select gradient,
        ];
        if (gradients.Length == 0)
            return 0f;
        var norm = torch.stack(gradients.Select(gradient => gradient.norm())).norm().cpu().item<float>();
        if (float.IsFinite(norm) && norm > maxNorm)
        {
            foreach (var gradient in gradients)
                gradient.mul_(Scalars.Of(maxNorm / norm));
        }

        return norm;
    }

    public override void Step(float learningRateFactor)
    {
        ThrowIfDisposed();
        foreach (var state in _states)
        {
            if (state.Tensor.RequiresGradient)
                OutOfMemory.Explained(_engine, batch: null, () => Step(state, learningRateFactor));
        }
    }

    public override void ClearGradients()
    {
        ThrowIfDisposed();
        foreach (var state in _states)
            state.Tensor.ClearGradient();
    }

    public override IReadOnlyList<NamedValues> GetState()
    {
        ThrowIfDisposed();
        return [.. _states.SelectMany(state => state.Export())];
    }

    public override void SetState(IReadOnlyDictionary<string, NamedValues> state)
    {
        ArgumentNullException.ThrowIfNull(state);
        ThrowIfDisposed();
        foreach (var own in _states)
            own.CheckFits(state);
        foreach (var own in _states)
            own.Import(state);
    }

    protected override void Dispose(bool disposing)
    {
        if (_isDisposed)
            return;
        _isDisposed = true;
        foreach (var state in _states)
            state.Dispose();
        _states.Clear();
    }

    private static bool Step(AdamWState state, float learningRateFactor)
    {
        using var scope = torch.NewDisposeScope();
        using var noGradient = torch.set_grad_enabled(false);
        if (state.Tensor.RowGradient is null)
            state.StepAll(learningRateFactor);
        else
            state.StepRows(learningRateFactor);
        state.Tensor.ClearGradient();
        return true;
    }

    private void ThrowIfDisposed()
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        ObjectDisposedException.ThrowIf(_engine.IsDisposed, _engine);
    }
}
