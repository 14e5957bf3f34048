namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>AdamW over parameters of the managed engine.</summary>
internal sealed unsafe class ManagedAdamW : Optimizer
{
    private const int BlockLength = 8192;
    private readonly ManagedEngine _engine;
    private readonly List<AdamWState> _states = [];
    private bool _isDisposed;

    public ManagedAdamW(ManagedEngine engine, IReadOnlyList<ParameterGroup> groups)
    {
        _engine = engine;
        var seen = new HashSet<ManagedTensor>();
        foreach (var group in groups)
        {
            foreach (var parameter in group.Parameters)
            {
                if (parameter.Value is not ManagedTensor { Tape: null } tensor || tensor.Engine != engine)
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
        var norm = Math.Sqrt(SumOfSquares());
        if (!double.IsFinite(norm) || norm <= maxNorm)
            return (float)norm;
        var factor = (float)(maxNorm / norm);
        foreach (var state in _states)
        {
            if (state.Tensor.SparseGradient is null && state.Tensor.HasGradient)
                state.Tensor.GradientFactor *= factor;
        }

        return (float)norm;
    }

    public override void Step(float learningRateFactor)
    {
        ThrowIfDisposed();
        foreach (var state in _states)
        {
            if (!state.Tensor.RequiresGradient)
                continue;
            if (state.Tensor.SparseGradient is null)
                StepDense(state, learningRateFactor);
            else
                state.StepRows(_engine, learningRateFactor);
            state.Tensor.Changed();
        }

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
        _isDisposed = true;
        _states.Clear();
    }

    private void StepDense(AdamWState state, float learningRateFactor)
    {
        var tensor = state.Tensor;
        var value = tensor.Data;
        if (!tensor.HasGradient)
            tensor.GradientToAdd();
        var step = AdamWStep.Create(
            state.Group, tensor.GradientFactor, learningRateFactor, BiasCorrection.At(state.Group, ++state.Steps));
        var gradient = tensor.Gradient;
        var moments = state.Moments;
        ForBlocks(tensor.Length, (start, count) => _engine.Kernels.AdamW(
            step, value + start, gradient + start, moments + start, moments + tensor.Length + start, count));
    }

    private double SumOfSquares()
    {
        var sum = 0.0;
        foreach (var state in _states)
        {
            var tensor = state.Tensor;
            if (tensor.SparseGradient is not null || !tensor.HasGradient)
                continue;
            var blockSums = new double[(tensor.Length + BlockLength - 1) / BlockLength];
            ForBlocks(tensor.Length, (start, count) =>
                blockSums[start / BlockLength] = Kernels.SumOfSquares(tensor.Gradient + start, count));
            foreach (var blockSum in blockSums)
                sum += blockSum * tensor.GradientFactor * tensor.GradientFactor;
        }

        return sum;
    }

    private void ForBlocks(int length, Action<int, int> body) =>
        _engine.Workers.Run((length + BlockLength - 1) / BlockLength, length, (block, _) =>
            body(block * BlockLength, Math.Min(BlockLength, length - block * BlockLength)));

    private void ThrowIfDisposed()
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        ObjectDisposedException.ThrowIf(_engine.IsDisposed, _engine);
    }
}
