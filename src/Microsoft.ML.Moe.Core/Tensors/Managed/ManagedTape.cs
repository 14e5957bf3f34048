using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// The managed engine's tape: has the memory of its tensors and the list of backward steps until it is disposed, and hands each
/// operation to the type that implements it.
/// </summary>
internal sealed unsafe class ManagedTape : Tape
{
    private readonly LeasedObjects<ManagedTensor>? _leasedTensors;
    private readonly LeasedObjects<RoutingPlan>? _leasedPlans;
    private readonly LeasedObjects<SequenceLayout>? _leasedLayouts;
    private TapeStorage? _storage;
    private bool _training;
    private ulong _seed;
    private uint _randomKeys;
    private bool _wentBackward;

    /// <summary>Creates a tape, which has still to begin.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="isLeased">
    /// Whether the tape begins again after it was disposed, and its tensors stand for other ones then. A tensor of a tape that is not
    /// leased raises for ever once the tape is disposed.
    /// </param>
    public ManagedTape(ManagedEngine engine, bool isLeased)
    {
        Engine = engine;
        if (isLeased)
        {
            _leasedTensors = new LeasedObjects<ManagedTensor>(() => new ManagedTensor(this));
            _leasedPlans = new LeasedObjects<RoutingPlan>(() => new RoutingPlan());
            _leasedLayouts = new LeasedObjects<SequenceLayout>(() => new SequenceLayout());
        }

        Runs = new SequenceRuns(() => _leasedLayouts is null ? new SequenceLayout() : _leasedLayouts.Next());
    }

    /// <summary>Begins a pass.</summary>
    /// <param name="storage">Memory, until the tape is disposed.</param>
    /// <param name="training">Whether operations are recorded.</param>
    /// <param name="seed">Seeds the random numbers.</param>
    /// <returns>This tape.</returns>
    public ManagedTape Begin(TapeStorage storage, bool training, ulong seed)
    {
        (_storage, _training, _seed, _randomKeys, _wentBackward) = (storage, training, seed, 0, false);
        AuxiliaryLosses.Clear();
        _leasedTensors?.Reset();
        _leasedPlans?.Reset();
        _leasedLayouts?.Reset();
        return this;
    }

    public override bool IsTraining => _training;

    public ManagedEngine Engine { get; }

    public Kernels Kernels => Engine.Kernels;

    public WorkerPool Workers => Engine.Workers;

    /// <summary>Memory of the tape's tensors and of what backward steps need.</summary>
    public Arena Memory => Storage.Memory;

    /// <summary>Memory of the operation under way.</summary>
    public Arena Scratch => Storage.Scratch;

    /// <summary>What the batch is divided into to be routed.</summary>
    public SequenceRuns Runs { get; }

    /// <summary>Whether tensors and plans are used again by the next tape; see <see cref="ManagedEngine.LeaseTape"/>.</summary>
    public bool IsLeased => _leasedTensors is not null;

    public bool IsDisposed => _storage is null;

    private TapeStorage Storage => _storage ?? throw new ObjectDisposedException(nameof(Tape));

    /// <summary>Creates a result with arbitrary content.</summary>
    /// <param name="requiresGradient">Whether one of the inputs does.</param>
    /// <param name="shape">Sizes of the dimensions.</param>
    public ManagedTensor Result(bool requiresGradient, params ReadOnlySpan<int> shape)
    {
        long length = 1;
        foreach (var size in shape)
            length = checked(length * size);
        var tensor = _leasedTensors is null ? new ManagedTensor(this) : _leasedTensors.Next();
        return tensor.Become(Memory.Allocate(length), _training && requiresGradient, shape);
    }

    /// <summary>Records an operation, by which a result's gradient flows to the inputs; nothing where the result requires none.</summary>
    public void Record<TOperation>(ManagedTensor result, in TOperation operation)
        where TOperation : struct, IOperation
    {
        if (result.RequiresGradient)
            Storage.Steps.Add(result, operation);
    }

    /// <summary>A key for one operation's random numbers.</summary>
    public uint NextRandomKey() => RandomBits.Key(_seed, _randomKeys++);

    internal override RoutingPlan NewPlan() => _leasedPlans is null ? base.NewPlan() : _leasedPlans.Next();

    public override Tensor Constant(ReadOnlySpan<float> values, params ReadOnlySpan<int> shape)
    {
        Begin();
        var result = Result(false, shape);
        result.CopyFrom(values);
        return result;
    }

    public override Tensor Embedding(Tensor tableVD, ReadOnlySpan<int> indices)
    {
        Begin();
        return EmbeddingOperation.Forward(this, Use(tableVD, nameof(tableVD)), indices);
    }

    public override Tensor EmbeddingBag(Tensor tableVD, RaggedIndices bags)
    {
        Begin();
        ArgumentNullException.ThrowIfNull(bags);
        return EmbeddingBagOperation.Forward(this, Use(tableVD, nameof(tableVD)), bags);
    }

    public override Tensor Linear(Tensor x, Tensor weightIO, Tensor? bias = null, Activation activation = Activation.None)
    {
        Begin();
        return LinearOperation.Forward(
            this, Use(x, nameof(x)), Use(weightIO, nameof(weightIO)), bias is null ? null : Use(bias, nameof(bias)), activation);
    }

    public override Tensor LayerNorm(Tensor x, Tensor gain, Tensor bias, float epsilon = 1e-5f)
    {
        Begin();
        return LayerNormOperation.Forward(this, Use(x, nameof(x)), Use(gain, nameof(gain)), Use(bias, nameof(bias)), epsilon);
    }

    public override Tensor Add(Tensor left, Tensor right)
    {
        Begin();
        return AddOperation.Forward(this, Use(left, nameof(left)), Use(right, nameof(right)));
    }

    public override Tensor AddDropped(Tensor left, Tensor right, float rate)
    {
        Begin();
        return AddOperation.Forward(this, Use(left, nameof(left)), Use(right, nameof(right)), rate);
    }

    public override Tensor Scale(Tensor x, float factor)
    {
        Begin();
        return ScaleOperation.Forward(this, Use(x, nameof(x)), factor);
    }

    public override Tensor Concat(params ReadOnlySpan<Tensor> parts)
    {
        Begin();
        foreach (var part in parts)
            Use(part, nameof(parts));
        return ConcatOperation.Forward(this, parts);
    }

    public override Tensor Dropout(Tensor x, float rate)
    {
        Begin();
        return DropoutOperation.Forward(this, Use(x, nameof(x)), rate);
    }

    public override Tensor Attention(Tensor qkvT3D, SequenceLayout layout, int heads, float dropout = 0f)
    {
        Begin();
        ArgumentNullException.ThrowIfNull(layout);
        return AttentionOperation.Forward(this, Use(qkvT3D, nameof(qkvT3D)), layout, heads, dropout);
    }

    public override Tensor AttentionPool(Tensor xTD, Tensor scoresTQ, SequenceLayout layout)
    {
        Begin();
        ArgumentNullException.ThrowIfNull(layout);
        return AttentionPoolOperation.Forward(this, Use(xTD, nameof(xTD)), Use(scoresTQ, nameof(scoresTQ)), layout);
    }

    public override Tensor MaxPool(Tensor xTD, SequenceLayout layout)
    {
        Begin();
        ArgumentNullException.ThrowIfNull(layout);
        return MaxPoolOperation.Forward(this, Use(xTD, nameof(xTD)), layout);
    }

    public override Tensor MeanPool(Tensor xTD, SequenceLayout layout)
    {
        Begin();
        ArgumentNullException.ThrowIfNull(layout);
        return MeanPoolOperation.Forward(this, Use(xTD, nameof(xTD)), layout);
    }

    public override Tensor RouterLogits(Tensor xTD, Tensor routerDE)
    {
        Begin();
        var used = Use(xTD, nameof(xTD));
        Check.Rank(used, 2, nameof(xTD));
        return LinearOperation.Forward(this, used, Use(routerDE, nameof(routerDE)), null, Activation.None);
    }

    public override RoutingPlan Route(Tensor logitsTE, RoutingPolicy policy, SequenceLayout layout)
    {
        Begin();
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(layout);
        var plan = RouteOperation.Forward(this, Use(logitsTE, nameof(logitsTE)), policy, layout);
        GC.KeepAlive(this);
        return plan;
    }

    public override Tensor CombineWeights(Tensor logitsTE, RoutingPlan plan)
    {
        Begin();
        ArgumentNullException.ThrowIfNull(plan);
        return CombineWeightsOperation.Forward(this, Use(logitsTE, nameof(logitsTE)), plan);
    }

    public override Tensor GroupedExperts(Tensor xTD, Tensor weightsP, RoutingPlan plan, Experts experts, Activation activation)
    {
        Begin();
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(experts);
        var expertTensors = new ExpertTensors(
            Use(experts.W1, nameof(experts)),
            experts.B1 is null ? null : Use(experts.B1, nameof(experts)),
            Use(experts.W2, nameof(experts)),
            experts.B2 is null ? null : Use(experts.B2, nameof(experts)),
            experts.Gate is null ? null : Use(experts.Gate, nameof(experts)),
            activation);
        return GroupedExpertsOperation.Forward(this, Use(xTD, nameof(xTD)), Use(weightsP, nameof(weightsP)), plan, expertTensors);
    }

    public override Tensor CopyTokens(Tensor xTD, Tensor weightsP, RoutingPlan plan)
    {
        Begin();
        ArgumentNullException.ThrowIfNull(plan);
        return CopyTokensOperation.Forward(this, Use(xTD, nameof(xTD)), Use(weightsP, nameof(weightsP)), plan);
    }

    public override Tensor LoadBalancingLoss(Tensor logitsTE, SequenceLayout layout)
    {
        Begin();
        ArgumentNullException.ThrowIfNull(layout);
        return LoadBalancingLossOperation.Forward(this, Use(logitsTE, nameof(logitsTE)), layout);
    }

    public override Tensor RouterZLoss(Tensor logitsTE, SequenceLayout layout)
    {
        Begin();
        ArgumentNullException.ThrowIfNull(layout);
        return RouterZLossOperation.Forward(this, Use(logitsTE, nameof(logitsTE)), layout);
    }

    public override Tensor CrossEntropy(
        Tensor logitsBC, ReadOnlySpan<int> targets, ReadOnlySpan<float> rowWeights, float labelSmoothing = 0f)
    {
        Begin();
        return CrossEntropyOperation.Forward(this, Use(logitsBC, nameof(logitsBC)), targets, rowWeights, labelSmoothing);
    }

    public override Tensor Softmax(Tensor x)
    {
        Begin();
        return SoftmaxOperation.Forward(this, Use(x, nameof(x)));
    }

    public override void Backward(Tensor loss, float scale = 1f)
    {
        Begin();
        if (!_training)
            throw new InvalidOperationException("The tape was not begun for training.");
        if (_wentBackward)
            throw new InvalidOperationException("A tape goes backward once.");
        var root = Use(loss, nameof(loss));
        if (root.Tape is null || root.Length != 1)
            throw new ArgumentException($"The loss must be one element made by this tape but is {Check.Text(loss.Shape)}.", nameof(loss));
        _wentBackward = true;
        if (root.RequiresGradient)
            *root.GradientToAdd() = scale;
        Storage.Steps.Run(this);
        Storage.Steps.Clear();
    }

    protected override void Dispose(bool disposing)
    {
        if (_storage is not { } storage)
            return;
        _storage = null;
        Engine.ReturnTapeStorage(storage);
    }

    private void Begin()
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        ObjectDisposedException.ThrowIf(Engine.IsDisposed, Engine);
        Scratch.Reset();
    }

    private ManagedTensor Use(Tensor tensor, string name)
    {
        ArgumentNullException.ThrowIfNull(tensor, name);
        if (tensor is not ManagedTensor used || used.Engine != Engine)
            throw new ArgumentException($"{name} belongs to another engine.", name);
        if (used.Tape is null)
            Storage.Parameters.Add(used);
        else if (used.Tape != this)
            throw new ArgumentException($"{name} belongs to another tape.", name);
        return used;
    }
}
