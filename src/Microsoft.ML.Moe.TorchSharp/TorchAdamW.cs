using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>
/// AdamW over parameters of this engine. All dense parameters with the same settings and number of steps are updated together. Neither
/// clipping nor a step waits for the device.
/// </summary>
internal sealed class TorchAdamW : Optimizer
{
    private readonly TorchEngine _engine;
    private readonly List<AdamWState> _states = [];
    private torch.Tensor? _norm;
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
                _states.Add(tensor.RowGradient is not null ? new RowAdamWState(parameter.Name, tensor, group)
                    : group.SkipsWithoutGradient && tensor.IsStackOfExperts ? new ExpertAdamWState(parameter.Name, tensor, group)
                    : new DenseAdamWState(parameter.Name, tensor, group));
            }
        }
    }

    public override float GradientNorm
    {
        get
        {
            ThrowIfDisposed();
            return _norm is null ? 0f : DeviceMemory.ToArray(_norm)[0];
        }
    }

    public override void ClipGradients(float maxNorm)
    {
        ThrowIfDisposed();
        if (!(maxNorm > 0f))
            throw new ArgumentOutOfRangeException(nameof(maxNorm), maxNorm, "The largest norm must be over 0.");
        _norm?.Dispose();
        _norm = InScope(() =>
        {
            torch.Tensor[] gradients =
            [
                .. _states.OfType<DenseAdamWState>().Where(state => state.TakesSteps).Select(state => state.Gradient).OfType<torch.Tensor>(),
                .. _states.OfType<ExpertAdamWState>().Select(state => state.Gradient).OfType<torch.Tensor>(),
            ];
            return gradients.Length == 0 ? null : AdamWScript.Clip(gradients, maxNorm).DetachFromDisposeScope();
        });
    }

    public override void Step(float learningRateFactor)
    {
        ThrowIfDisposed();
        InScope(() =>
        {
            foreach (var alike in TakingSteps().GroupBy(state => (state.Group with { Parameters = [] }, state.StepsTaken)))
                Step([.. alike], learningRateFactor);
            foreach (var table in _states.OfType<RowAdamWState>().Where(table => table.Tensor.RequiresGradient))
                table.Step(learningRateFactor);
            foreach (var experts in _states.OfType<ExpertAdamWState>())
                experts.Step(learningRateFactor);
            return true;
        });
        ClearGradients();
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
        _norm?.Dispose();
    }

    /// <summary>A step of parameters with the same settings that have taken as many steps.</summary>
    private static void Step(DenseAdamWState[] states, float learningRateFactor)
    {
        AdamWScript.Step(
            Array.ConvertAll(states, state => state.Values),
            Array.ConvertAll(states, state => state.Gradient ?? torch.zeros_like(state.Values)),
            Array.ConvertAll(states, state => state.First),
            Array.ConvertAll(states, state => state.Second),
            states[0].StepsTaken + 1,
            states[0].Group,
            learningRateFactor);
        foreach (var state in states)
            state.StepsTaken++;
    }

    private IEnumerable<DenseAdamWState> TakingSteps() => _states.OfType<DenseAdamWState>()
        .Where(state => state.TakesSteps && !(state.Group.SkipsWithoutGradient && state.Gradient is null));

    private T InScope<T>(Func<T> body) => OutOfMemory.Explained(_engine, batch: null, () =>
    {
        using var scope = torch.NewDisposeScope();
        using var noGradient = torch.set_grad_enabled(false);
        return body();
    });

    private void ThrowIfDisposed()
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        ObjectDisposedException.ThrowIf(_engine.IsDisposed, _engine);
    }
}
