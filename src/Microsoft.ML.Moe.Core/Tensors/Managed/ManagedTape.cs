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
        (_storage, _training, _seed, _randomKeys) = (storage, training, seed, 0);
        Restart();
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

    protected override uint NextKey() => NextRandomKey();

    /// <summary>A plan to be filled, which lives as long as the tape's tensors.</summary>
    public RoutingPlan NewPlan() => _leasedPlans is null ? new RoutingPlan() : _leasedPlans.Next();

    protected override Tensor ConstantCore(ReadOnlySpan<float> values, ReadOnlySpan<int> shape)
    {
        var result = Result(false, shape);
        result.CopyFrom(values);
        return result;
    }

    protected override Tensor EmbeddingCore(Tensor tableVD, ReadOnlySpan<int> indices) =>
        EmbeddingOperation.Forward(this, Own(tableVD), indices);

    protected override Tensor EmbeddingBagCore(Tensor tableVD, RaggedIndices bags, Tensor? factorsN) =>
        EmbeddingBagOperation.Forward(this, Own(tableVD), bags, OwnOrNull(factorsN));

    protected override Tensor LinearCore(Tensor x, Tensor weightIO, Tensor? bias, Activation activation) =>
        LinearOperation.Forward(this, Own(x), Own(weightIO), OwnOrNull(bias), activation);

    protected override Tensor ConvolutionCore(Tensor x, Tensor weight, Tensor? bias, ConvolutionSpec spec) =>
        ConvolutionOperation.Forward(this, Own(x), Own(weight), OwnOrNull(bias), spec);

    protected override Tensor MaxPoolCore(Tensor x, ConvolutionSpec spec) => WindowMaxPoolOperation.Forward(this, Own(x), spec);

    protected override Tensor BatchNormCore(
        Tensor x, Tensor gain, Tensor bias, Tensor mean, Tensor variance, float momentum, float epsilon, bool ofBatch) =>
        BatchNormOperation.Forward(this, Own(x), Own(gain), Own(bias), Own(mean), Own(variance), momentum, epsilon, ofBatch);

    protected override Tensor LayerNormCore(Tensor x, Tensor gain, Tensor bias, float epsilon) =>
        LayerNormOperation.Forward(this, Own(x), Own(gain), Own(bias), epsilon);

    protected override Tensor RmsNormCore(Tensor x, Tensor gain, float epsilon) =>
        RmsNormOperation.Forward(this, Own(x), Own(gain), epsilon);

    protected override Tensor MultiplyCore(Tensor left, Tensor right) => MultiplyOperation.Forward(this, Own(left), Own(right));

    protected override Tensor RotaryCore(Tensor xTD, ReadOnlySpan<int> positions, int heads, ReadOnlySpan<RotaryFrequencies> rotary) =>
        RotaryOperation.Forward(this, Own(xTD), positions, heads, rotary);

    protected override Tensor AddCore(Tensor left, Tensor right) => AddOperation.Forward(this, Own(left), Own(right));

    protected override Tensor AddDroppedCore(Tensor left, Tensor right, float rate) =>
        AddOperation.Forward(this, Own(left), Own(right), rate);

    protected override Tensor ScaleCore(Tensor x, float factor) => ScaleOperation.Forward(this, Own(x), factor);

    protected override Tensor ClampCore(Tensor x, float minimum, float maximum) => ClampOperation.Forward(this, Own(x), minimum, maximum);

    protected override Tensor ActivateCore(Tensor x, Activation activation) => ActivateOperation.Forward(this, Own(x), activation);

    protected override Tensor ConcatCore(ReadOnlySpan<Tensor> parts) => ConcatOperation.Forward(this, parts);

    protected override Tensor ReshapeCore(Tensor x, ReadOnlySpan<int> shape) => ReshapeOperation.Forward(this, Own(x), shape);

    protected override Tensor DropoutCore(Tensor x, float rate) => DropoutOperation.Forward(this, Own(x), rate);

    protected override Tensor SoftmaxCore(Tensor x) => SoftmaxOperation.Forward(this, Own(x));

    protected override Tensor MeanCore(Tensor x) => MeanOperation.Forward(this, Own(x));

    protected override Tensor NormalizeCore(Tensor x) => NormalizeOperation.Forward(this, Own(x));

    protected override Tensor MultiplyTransposedCore(Tensor xAD, Tensor yBD) =>
        MultiplyTransposedOperation.Forward(this, Own(xAD), Own(yBD));

    protected override Tensor AttentionCore(Tensor qkvT3D, SequenceLayout layout, int heads, float dropout) =>
        AttentionOperation.Forward(this, Own(qkvT3D), layout, heads, dropout);

    protected override Tensor AttentionCore(
        Tensor qTD,
        Tensor kSD,
        Tensor vSD,
        AttentionSpec spec,
        SequenceLayout queries,
        SequenceLayout keys,
        AttentionBias? bias,
        Tensor? sinksH)
    {
        var form = AttentionForm.Of(spec, qTD.Columns, vSD.Columns, _training);
        var additions = new AttentionAdditions(OwnOrNull(bias?.ValuesRH), bias?.Zero ?? 0, OwnOrNull(sinksH));
        return AttentionOperation.Forward(this, Own(qTD), Own(kSD), Own(vSD), isPacked: false, form, queries, keys, additions);
    }

    protected override Tensor CachedAttentionCore(
        Tensor qTD,
        Tensor? kTD,
        Tensor? vTD,
        AttentionSpec spec,
        SequenceLayout layout,
        KeyValueCache cache,
        AttentionBias? bias,
        Tensor? sinksH)
    {
        var own = Own(cache);
        if (kTD is not null)
            own.Append(Own(kTD), Own(vTD!), layout);
        var form = AttentionForm.Of(spec, qTD.Columns, cache.ValueWidth, training: false);
        var additions = new AttentionAdditions(OwnOrNull(bias?.ValuesRH), bias?.Zero ?? 0, OwnOrNull(sinksH));
        return AttentionOperation.Forward(this, Own(qTD), form, layout, own, additions);
    }

    protected override void AppendCore(KeyValueCache cache, Tensor kTD, Tensor vTD, SequenceLayout layout) =>
        Own(cache).Append(Own(kTD), Own(vTD), layout);

    protected override Tensor AttentionPoolCore(Tensor xTD, Tensor scoresTQ, SequenceLayout layout) =>
        AttentionPoolOperation.Forward(this, Own(xTD), Own(scoresTQ), layout);

    protected override Tensor MaxPoolCore(Tensor xTD, SequenceLayout layout) => MaxPoolOperation.Forward(this, Own(xTD), layout);

    protected override Tensor MeanPoolCore(Tensor xTD, SequenceLayout layout) => MeanPoolOperation.Forward(this, Own(xTD), layout);

    protected override Tensor RouterLogitsCore(Tensor xTD, Tensor routerDE, Tensor? biasE) =>
        LinearOperation.Forward(this, Own(xTD), Own(routerDE), OwnOrNull(biasE), Activation.None);

    protected override RoutingPlan RouteCore(Tensor logitsTE, RoutingPolicy policy, SequenceLayout layout, Tensor? choiceBiasE)
    {
        var plan = RouteOperation.Forward(this, Own(logitsTE), policy, layout, choiceBiasE is null ? null : Own(choiceBiasE));
        GC.KeepAlive(this);
        return plan;
    }

    protected override Tensor CombineWeightsCore(Tensor logitsTE, RoutingPlan plan) =>
        CombineWeightsOperation.Forward(this, Own(logitsTE), plan);

    protected override Tensor GroupedExpertsCore(Tensor xTD, Tensor weightsP, RoutingPlan plan, Experts experts)
    {
        var expertTensors = new ExpertTensors(
            Own(experts.W1),
            OwnOrNull(experts.B1),
            Own(experts.W2),
            OwnOrNull(experts.B2),
            experts.Activation,
            OwnOrNull(experts.Gate),
            OwnOrNull(experts.GateBias),
            experts.GateActivation);
        return GroupedExpertsOperation.Forward(this, Own(xTD), Own(weightsP), plan, expertTensors);
    }

    protected override Tensor ExpertLinearCore(Tensor xTI, Tensor weightEIO, RoutingPlan plan) =>
        ExpertLinearOperation.Forward(this, Own(xTI), Own(weightEIO), plan);

    protected override Tensor SumPairsCore(Tensor yPD, Tensor weightsP, RoutingPlan plan) =>
        SumPairsOperation.Forward(this, Own(yPD), Own(weightsP), plan);

    protected override Tensor LoadBalancingLossCore(Tensor logitsTE, SequenceLayout layout) =>
        LoadBalancingLossOperation.Forward(this, Own(logitsTE), layout);

    protected override Tensor RouterZLossCore(Tensor logitsTE, SequenceLayout layout) =>
        RouterZLossOperation.Forward(this, Own(logitsTE), layout);

    protected override Tensor CrossEntropyCore(
        Tensor logitsBC, ReadOnlySpan<int> targets, ReadOnlySpan<float> rowWeights, float labelSmoothing) =>
        CrossEntropyOperation.Forward(this, Own(logitsBC), targets, rowWeights, labelSmoothing);

    protected override Tensor SoftTargetCrossEntropyCore(
        Tensor logitsBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights) =>
        SoftTargetCrossEntropyOperation.Forward(this, Own(logitsBC), targets, rowWeights);

    protected override Tensor SquaredErrorCore(Tensor valuesBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights) =>
        ElementLossOperation<SquaredError>.Forward(this, default, Own(valuesBC), targets, rowWeights);

    protected override Tensor BinaryCrossEntropyCore(Tensor logitsBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights) =>
        ElementLossOperation<BinaryCrossEntropy>.Forward(this, default, Own(logitsBC), targets, rowWeights);

    protected override Tensor HuberErrorCore(
        Tensor valuesBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights, float delta) =>
        ElementLossOperation<HuberError>.Forward(this, new HuberError(delta), Own(valuesBC), targets, rowWeights);

    protected override Tensor QuantileErrorCore(
        Tensor valuesBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights, ReadOnlySpan<float> quantiles)
    {
        var quantilesC = Memory.Allocate(quantiles.Length);
        quantiles.CopyTo(new Span<float>(quantilesC, quantiles.Length));
        return ElementLossOperation<QuantileError>.Forward(this, new QuantileError(quantilesC), Own(valuesBC), targets, rowWeights);
    }

    protected override Tensor FocalLossCore(
        Tensor logitsBC, ReadOnlySpan<int> targets, ReadOnlySpan<float> rowWeights, float gamma) =>
        FocalLossOperation.Forward(this, Own(logitsBC), targets, rowWeights, gamma);

    protected override Tensor BinaryFocalLossCore(
        Tensor logitsBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights, float gamma, float? alpha) =>
        ElementLossOperation<BinaryFocal>.Forward(this, new BinaryFocal(gamma, alpha), Own(logitsBC), targets, rowWeights);

    protected override void BackwardCore(Tensor loss, float scale)
    {
        var root = Own(loss);
        if (root.RequiresGradient)
            *root.GradientToAdd() = scale;
        Storage.Steps.Run(this);
        Storage.Steps.Clear();
    }

    protected override void Begin()
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        ObjectDisposedException.ThrowIf(Engine.IsDisposed, Engine);
        Scratch.Reset();
    }

    protected override bool UseCore(Tensor tensor, string name)
    {
        if (tensor is not ManagedTensor used || used.Engine != Engine)
            throw new ArgumentException($"{name} belongs to another engine.", name);
        if (used.Tape is null)
            Storage.Parameters.Add(used);
        else if (used.Tape != this)
            throw new ArgumentException($"{name} belongs to another tape.", name);
        return used.Tape is not null;
    }

    protected override void Dispose(bool disposing)
    {
        if (_storage is not { } storage)
            return;
        _storage = null;
        Engine.ReturnTapeStorage(storage);
    }

    private static ManagedTensor Own(Tensor tensor) => (ManagedTensor)tensor;

    private ManagedKeyValueCache Own(KeyValueCache cache) => cache is ManagedKeyValueCache own && own.Engine == Engine
        ? own
        : throw new ArgumentException("The cache belongs to another engine.", nameof(cache));

    private static ManagedTensor? OwnOrNull(Tensor? tensor) => (ManagedTensor?)tensor;
}
