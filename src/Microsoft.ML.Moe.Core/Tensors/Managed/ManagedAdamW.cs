using Microsoft.ML.Moe.Files;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>AdamW over parameters of the managed engine.</summary>
internal sealed unsafe class ManagedAdamW : Optimizer
{
    private const int BlockLength = 8192;
    private readonly ManagedEngine _engine;
    private readonly List<AdamWState> _states = [];

    // All dense parameters in blocks, for one loop over all of them.
    private readonly List<Block> _blocks = [];

    // The gradient where none has arrived.
    private readonly MemoryBlock _zeros = new(BlockLength, zeroed: true);
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
                AddBlocks(state);
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
            if (state.Tensor.SparseGradient is not null)
                state.StepRows(_engine, learningRateFactor);
            else if (!state.IsSkipped)
                state.BeginStep(learningRateFactor);
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

    public override IReadOnlyList<NamedValues> GetState() =>
        [.. SaveState().Select(saved => new NamedValues(saved.Name, saved.Shape, saved.Values()))];

    internal override IEnumerable<SavedTensor> SaveState()
    {
        ThrowIfDisposed();
        return _states.SelectMany(state => state.Export());
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

    private void AddBlocks(AdamWState state)
    {
        var tensor = state.Tensor;
        // a block is of one expert
        var part = tensor.Length / (tensor.TouchedExperts?.Count ?? 1);
        for (var start = 0; start < tensor.Length; start += part)
            for (var inside = 0; inside < part; inside += BlockLength)
                _blocks.Add(new Block(state, start + inside, Math.Min(BlockLength, part - inside), start / part));
    }

    private void StepBlock(int block)
    {
        var (state, start, count, expert) = _blocks[block];
        var tensor = state.Tensor;
        var hasGradient = _blocks[block].HasGradient;
        if (state.IsSkipped || (state.StepsByExpert && !hasGradient))
            return;
        var moments = state.Moments + start;
        var gradient = hasGradient ? tensor.Gradient + start : _zeros.Data;
        _engine.Kernels.AdamW(state.StepOf(expert), tensor.Data + start, gradient, moments, moments + tensor.Length, count);
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
        var (state, start, count, _) = _blocks[block];
        _blockSums[block] = _blocks[block].HasGradient ? Kernels.SumOfSquares(state.Tensor.Gradient + start, count) : 0.0;
    }

    private void ThrowIfDisposed()
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        ObjectDisposedException.ThrowIf(_engine.IsDisposed, _engine);
    }

    /// <summary>Elements of a parameter that are worked on together.</summary>
    /// <param name="State">The parameter.</param>
    /// <param name="Start">The first of them.</param>
    /// <param name="Count">How many there are.</param>
    /// <param name="Expert">The expert that they belong to; 0 for a parameter that is no stack.</param>
    private readonly record struct Block(AdamWState State, int Start, int Count, int Expert)
    {
        /// <summary>Whether a gradient has arrived.</summary>
        public bool HasGradient => State.Tensor.HasGradient && State.Tensor.TouchedExperts?[Expert] != false;
    }
}
