namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>AdamW over parameters of the managed engine.</summary>
internal sealed unsafe class ManagedAdamW : Optimizer
{
    private const int BlockLength = 8192;
    private readonly ManagedEngine _engine;
    private readonly List<AdamWState> _states = [];

    // All dense parameters in blocks, for one loop over all of them.
    private readonly List<(AdamWState State, int Start)> _blocks = [];
    private readonly double[] _blockSums;
    private readonly Action<int, int> _sumBlock;
    private readonly Action<int, int> _stepBlock;
    private readonly long _length;
    private float _norm;
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
                var state = new AdamWState(parameter.Name, tensor, group);
                _states.Add(state);
                if (tensor.SparseGradient is not null)
                    continue;
                for (var start = 0; start < tensor.Length; start += BlockLength)
                    _blocks.Add((state, start));
                _length += tensor.Length;
            }
        }

        _blockSums = new double[_blocks.Count];
        _sumBlock = (block, _) => SumBlock(block);
        _stepBlock = (block, _) => StepBlock(block);
    }

    public override float GradientNorm
    {
        get
        {
            ThrowIfDisposed();
            return _norm;
        }
    }

    public override void ClipGradients(float maxNorm)
    {
        ThrowIfDisposed();
        if (!(maxNorm > 0f))
            throw new ArgumentOutOfRangeException(nameof(maxNorm), maxNorm, "The largest norm must be over 0.");
        var norm = Math.Sqrt(SumOfSquares());
        _norm = (float)norm;
        var factor = (float)(maxNorm / (norm + ClippingEpsilon));
        if (!double.IsFinite(norm) || factor >= 1f)
            return;
        foreach (var state in _states)
        {
            if (state.Tensor.SparseGradient is null && state.Tensor.HasGradient)
                state.Tensor.GradientFactor *= factor;
        }
    }

    public override void Step(float learningRateFactor)
    {
        ThrowIfDisposed();
        foreach (var state in _states)
        {
            if (!state.Tensor.RequiresGradient)
                continue;
            if (state.Tensor.SparseGradient is null)
                state.BeginStep(learningRateFactor);
            else
                state.StepRows(_engine, learningRateFactor);
        }

        _engine.Workers.Run(_blocks.Count, _length, _stepBlock);
        foreach (var state in _states)
        {
            if (state.Tensor.RequiresGradient)
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
        _blocks.Clear();
    }

    private void StepBlock(int block)
    {
        var (state, start) = _blocks[block];
        var tensor = state.Tensor;
        if (!tensor.RequiresGradient)
            return;
        var moments = state.Moments + start;
        var count = Math.Min(BlockLength, tensor.Length - start);
        _engine.Kernels.AdamW(state.Step, tensor.Data + start, tensor.Gradient + start, moments, moments + tensor.Length, count);
    }

    private double SumOfSquares()
    {
        _engine.Workers.Run(_blocks.Count, _length, _sumBlock);
        var sum = 0.0;
        for (var block = 0; block < _blockSums.Length; block++)
        {
            var factor = _blocks[block].State.Tensor.GradientFactor;
            sum += _blockSums[block] * factor * factor;
        }

        return sum;
    }

    private void SumBlock(int block)
    {
        var (state, start) = _blocks[block];
        var tensor = state.Tensor;
        _blockSums[block] = tensor.HasGradient
            ? Kernels.SumOfSquares(tensor.Gradient + start, Math.Min(BlockLength, tensor.Length - start))
            : 0.0;
    }

    private void ThrowIfDisposed()
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        ObjectDisposedException.ThrowIf(_engine.IsDisposed, _engine);
    }
}
