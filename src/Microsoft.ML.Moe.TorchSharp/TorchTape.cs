using Microsoft.ML.Moe.Routing;
using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>
/// A tape on libtorch's autograd: hands each operation to the class that implements it, and keeps the results until it is disposed.
/// What an operation makes on its way dies with the operation.
/// </summary>
internal sealed class TorchTape(TorchEngine engine, bool training, ulong seed) : Tape
{
    private readonly List<torch.Tensor> _kept = [];
    private readonly List<(TorchTensor Table, int[] Rows, torch.Tensor RowsU, torch.Tensor LeafUD)> _tableRows = [];
    private readonly Dictionary<SequenceLayout, PackedSequences> _sequences = [];
    private readonly Dictionary<SequenceLayout, TokenRows> _rows = [];
    private readonly Dictionary<(SequenceLayout, RoutingScope, bool), TokenGroups> _groups = [];
    private readonly Dictionary<RoutingPlan, ExpertPairs> _pairs = [];
    private uint _randomKeys;
    private SequenceLayout? _largestLayout;

    public override bool IsTraining => training;

    public TorchEngine Engine => engine;

    public torch.Device Device => engine.Device;

    /// <summary>What the factors of matrix products are rounded to; the products are of this type as well.</summary>
    public torch.ScalarType ProductType { get; } =
        training && engine.TrainsInBFloat16 ? torch.ScalarType.BFloat16 : torch.ScalarType.Float32;

    public bool IsDisposed { get; private set; }

    /// <summary>Seeds one operation's random numbers.</summary>
    public uint NextRandomKey() => RandomBits.Key(seed, _randomKeys++);

    protected override uint NextKey() => NextRandomKey();

    /// <summary>Keeps a tensor until the tape is disposed.</summary>
    public torch.Tensor Keep(torch.Tensor value)
    {
        _kept.Add(value.DetachFromDisposeScope());
        return value;
    }

    /// <summary>
    /// Rows of a parameter as a leaf of their own, whose gradient goes to the parameter's rows: the table's own gradient would be as
    /// large as the table.
    /// </summary>
    /// <param name="table">A table with sparse rows.</param>
    /// <param name="rows">Rows that differ from each other.</param>
    public torch.Tensor TableRows(TorchTensor table, int[] rows)
    {
        var rowsU = Keep(Device.Upload(rows));
        var leafUD = Keep(table.Value.detach().index_select(0, rowsU).requires_grad_(true));
        _tableRows.Add((table, rows, rowsU, leafUD));
        return leafUD;
    }

    /// <summary>A layout on the device; made once.</summary>
    public PackedSequences Sequences(SequenceLayout layout) => Once(_sequences, layout, () => new PackedSequences(this, layout));

    /// <summary>What routing asks of a layout's rows; made once.</summary>
    public TokenRows Rows(SequenceLayout layout) => Once(_rows, layout, () => new TokenRows(this, layout));

    /// <summary>The groups of tokens that compete, on the device; made once.</summary>
    public TokenGroups Groups(SequenceLayout layout, RoutingScope scope, bool maskPadding) =>
        Once(_groups, (layout, scope, maskPadding), () => new TokenGroups(this, layout, scope, maskPadding));

    /// <summary>A plan on the device; copied there once, unless it was made there.</summary>
    public ExpertPairs Pairs(RoutingPlan plan) => Once(_pairs, plan, () => new ExpertPairs(this, plan));

    /// <summary>Takes up a plan whose pairs are on the device already.</summary>
    public void Add(RoutingPlan plan, ExpertPairs pairs) => _pairs.Add(plan, pairs);

    /// <summary>Runs an operation and keeps its result; all else that it makes is released.</summary>
    public TorchTensor Run(Func<torch.Tensor> operation) => InScope(() => new TorchTensor(this, Keep(operation())));

    /// <summary>Runs something on the device; what it makes and does not keep is released.</summary>
    public T InScope<T>(Func<T> body) => OutOfMemory.Explained(engine, _largestLayout, () =>
    {
        using var scope = torch.NewDisposeScope();
        using var gradients = torch.set_grad_enabled(training);
        return body();
    });

    protected override Tensor ConstantCore(ReadOnlySpan<float> values, ReadOnlySpan<int> shape)
    {
        var (copy, sizes) = (values.ToArray(), shape.ToArray());
        return Run(() => Device.Upload(copy, sizes));
    }

    protected override Tensor EmbeddingCore(Tensor tableVD, ReadOnlySpan<int> indices) =>
        EmbeddingOperation.Forward(this, Own(tableVD), indices);

    protected override Tensor EmbeddingBagCore(Tensor tableVD, RaggedIndices bags, Tensor? factorsN) =>
        EmbeddingOperation.Forward(this, Own(tableVD), bags, OwnOrNull(factorsN));

    protected override Tensor LinearCore(Tensor x, Tensor weightIO, Tensor? bias, Activation activation) =>
        LinearOperation.Forward(this, Own(x), Own(weightIO), OwnOrNull(bias), activation, ProductType);

    protected override Tensor ConvolutionCore(Tensor x, Tensor weight, Tensor? bias, ConvolutionSpec spec) =>
        ConvolutionOperation.Forward(this, Own(x), Own(weight), OwnOrNull(bias), spec, ProductType);

    protected override Tensor MaxPoolCore(Tensor x, ConvolutionSpec spec) => ConvolutionOperation.MaxPool(this, Own(x), spec);

    protected override Tensor BatchNormCore(
        Tensor x, Tensor gain, Tensor bias, Tensor mean, Tensor variance, float momentum, float epsilon, bool ofBatch) => Run(() =>
        torch.nn.functional.batch_norm(
            Own(x).Value,
            Own(mean).Value.detach(),
            Own(variance).Value.detach(),
            Own(gain).Value,
            Own(bias).Value,
            training: ofBatch,
            momentum: momentum,
            eps: epsilon));

    protected override Tensor LayerNormCore(Tensor x, Tensor gain, Tensor bias, float epsilon) =>
        LayerNormOperation.Forward(this, Own(x), Own(gain), Own(bias), epsilon);

    protected override Tensor RmsNormCore(Tensor x, Tensor gain, float epsilon) => Run(() =>
    {
        var value = Own(x).Value;
        if (gain.Length < x.Columns)
            value = value.reshape([.. value.shape[..^1], x.Columns / gain.Length, gain.Length]);
        var inverse = value.Squared().mean([-1], keepdim: true).Plus(epsilon).rsqrt();
        var normed = value.mul(inverse).mul(Own(gain).Value);
        return gain.Length < x.Columns ? normed.reshape(Own(x).Value.shape) : normed;
    });

    protected override Tensor MultiplyCore(Tensor left, Tensor right) => Run(() => Own(left).Value.mul(Own(right).Value));

    protected override Tensor RotaryCore(Tensor xTD, ReadOnlySpan<int> positions, int heads, ReadOnlySpan<RotaryFrequencies> rotary) =>
        RotaryOperation.Forward(this, Own(xTD), positions, heads, rotary);

    protected override Tensor AddCore(Tensor left, Tensor right) => Run(() => Own(left).Value.Plus(Own(right).Value));

    protected override Tensor AddDroppedCore(Tensor left, Tensor right, float rate) => AddCore(left, DropoutCore(right, rate));

    protected override Tensor ScaleCore(Tensor x, float factor) => Run(() => Own(x).Value.mul(Scalars.Of(factor)));

    protected override Tensor ClampCore(Tensor x, float minimum, float maximum) =>
        Run(() => Own(x).Value.clamp(Scalars.Of(minimum), Scalars.Of(maximum)));

    protected override Tensor ActivateCore(Tensor x, Activation activation) => Run(() => Own(x).Value.Apply(activation));

    protected override Tensor ConcatCore(ReadOnlySpan<Tensor> parts)
    {
        var own = new TorchTensor[parts.Length];
        for (var i = 0; i < parts.Length; i++)
            own[i] = Own(parts[i]);
        return ConcatOperation.Forward(this, own);
    }

    protected override Tensor ReshapeCore(Tensor x, ReadOnlySpan<int> shape)
    {
        var sizes = Array.ConvertAll(shape.ToArray(), size => (long)size);
        return Run(() => Own(x).Value.reshape(sizes).clone());
    }

    protected override Tensor DropoutCore(Tensor x, float rate) => DropoutOperation.Forward(this, Own(x), rate);

    protected override Tensor SoftmaxCore(Tensor x) => Run(() => Own(x).Value.softmax(-1));

    protected override Tensor MeanCore(Tensor x) =>
        Run(() => Own(x).Value.sum().mul(Scalars.Of(1f / Math.Max(1, x.Length))).reshape(1));

    protected override Tensor NormalizeCore(Tensor x) =>
        Run(() => torch.nn.functional.normalize(Own(x).Value, p: 2f, dim: -1L, eps: 1e-12f));

    protected override Tensor MultiplyTransposedCore(Tensor xAD, Tensor yBD) => Run(() => Own(xAD).Value.mm(Own(yBD).Value.t()));

    protected override Tensor AttentionCore(Tensor qkvT3D, SequenceLayout layout, int heads, float dropout)
    {
        Note(layout);
        return AttentionOperation.Forward(this, Own(qkvT3D), layout, heads, dropout);
    }

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
        Note(queries);
        Note(keys);
        return AttentionOperation.Forward(
            this, Own(qTD), Own(kSD), Own(vSD), spec, queries, keys, OwnOrNull(bias?.ValuesRH), bias?.Zero ?? 0, OwnOrNull(sinksH));
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
        Note(layout);
        if (kTD is not null)
            own.Append(this, Own(kTD), Own(vTD!), layout);
        return AttentionOperation.Forward(
            this, Own(qTD), spec, layout, own, OwnOrNull(bias?.ValuesRH), bias?.Zero ?? 0, OwnOrNull(sinksH));
    }

    protected override void AppendCore(KeyValueCache cache, Tensor kTD, Tensor vTD, SequenceLayout layout) =>
        Own(cache).Append(this, Own(kTD), Own(vTD), layout);

    protected override Tensor AttentionPoolCore(Tensor xTD, Tensor scoresTQ, SequenceLayout layout)
    {
        Note(layout);
        return PoolOperations.Attention(this, Own(xTD), Own(scoresTQ), layout);
    }

    protected override Tensor MaxPoolCore(Tensor xTD, SequenceLayout layout)
    {
        Note(layout);
        return PoolOperations.Max(this, Own(xTD), layout);
    }

    protected override Tensor MeanPoolCore(Tensor xTD, SequenceLayout layout)
    {
        Note(layout);
        return PoolOperations.Mean(this, Own(xTD), layout);
    }

    protected override Tensor RouterLogitsCore(Tensor xTD, Tensor routerDE, Tensor? biasE) =>
        LinearOperation.Forward(this, Own(xTD), Own(routerDE), OwnOrNull(biasE), Activation.None, torch.ScalarType.Float32);

    protected override RoutingPlan RouteCore(Tensor logitsTE, RoutingPolicy policy, SequenceLayout layout, Tensor? choiceBiasE)
    {
        Note(layout);
        return RouteOperation.Forward(this, Own(logitsTE), policy, layout, choiceBiasE is null ? null : Own(choiceBiasE));
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
        Run(() =>
        {
            if (plan.Pairs == 0)
                return Own(xTI).Value.narrow(0, 0, 0).sum().Plus(torch.zeros([0, weightEIO.Columns], device: Device));
            var pairs = Pairs(plan);
            Own(weightEIO).Touch(pairs.EndOfE);
            var xPI = Own(xTI).ValueAs(ProductType).index_select(0, pairs.TokenOfPair);
            return ExpertByExpert.Product(xPI, new ExpertStack(Own(weightEIO), ProductType), pairs).As(torch.ScalarType.Float32);
        });

    protected override Tensor SumPairsCore(Tensor yPD, Tensor weightsP, RoutingPlan plan) =>
        Run(() => GroupedExpertsOperation.Sum(this, Own(yPD).Value, Own(weightsP), plan));

    protected override Tensor LoadBalancingLossCore(Tensor logitsTE, SequenceLayout layout)
    {
        Note(layout);
        return RouterLosses.LoadBalancing(this, Own(logitsTE), layout);
    }

    protected override Tensor RouterZLossCore(Tensor logitsTE, SequenceLayout layout)
    {
        Note(layout);
        return RouterLosses.Z(this, Own(logitsTE), layout);
    }

    protected override Tensor CrossEntropyCore(
        Tensor logitsBC, ReadOnlySpan<int> targets, ReadOnlySpan<float> rowWeights, float labelSmoothing) =>
        CrossEntropyOperation.Forward(this, Own(logitsBC), targets, rowWeights, labelSmoothing);

    protected override Tensor SoftTargetCrossEntropyCore(
        Tensor logitsBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights) =>
        CrossEntropyOperation.SoftTargets(this, Own(logitsBC), targets, rowWeights);

    protected override Tensor SquaredErrorCore(Tensor valuesBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights) =>
        ElementLosses.Squared(this, Own(valuesBC), targets, rowWeights);

    protected override Tensor BinaryCrossEntropyCore(Tensor logitsBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights) =>
        ElementLosses.BinaryCrossEntropy(this, Own(logitsBC), targets, rowWeights);

    protected override Tensor HuberErrorCore(
        Tensor valuesBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights, float delta) =>
        ElementLosses.Huber(this, Own(valuesBC), targets, rowWeights, delta);

    protected override Tensor QuantileErrorCore(
        Tensor valuesBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights, ReadOnlySpan<float> quantiles) =>
        ElementLosses.Quantile(this, Own(valuesBC), targets, rowWeights, quantiles.ToArray());

    protected override Tensor FocalLossCore(
        Tensor logitsBC, ReadOnlySpan<int> targets, ReadOnlySpan<float> rowWeights, float gamma) =>
        CrossEntropyOperation.Focal(this, Own(logitsBC), targets, rowWeights, gamma);

    protected override Tensor BinaryFocalLossCore(
        Tensor logitsBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights, float gamma, float? alpha) =>
        ElementLosses.BinaryFocal(this, Own(logitsBC), targets, rowWeights, gamma, alpha);

    protected override void BackwardCore(Tensor loss, float scale)
    {
        var root = Own(loss);
        if (!root.RequiresGradient)
            return;
        InScope(() =>
        {
            root.Value.mul(Scalars.Of(scale)).backward();
            foreach (var (table, rows, rowsU, leafUD) in _tableRows)
            {
                if (leafUD.grad is { } gradientUD)
                    table.RowGradient!.Add(rows, rowsU, gradientUD);
            }

            return true;
        });
    }

    protected override void Begin()
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        ObjectDisposedException.ThrowIf(engine.IsDisposed, engine);
    }

    protected override bool UseCore(Tensor tensor, string name)
    {
        if (tensor is not TorchTensor used || used.Engine != engine)
            throw new ArgumentException($"{name} belongs to another engine.", name);
        if (used.Tape is not null && used.Tape != this)
            throw new ArgumentException($"{name} belongs to another tape.", name);
        return used.Tape is not null;
    }

    protected override void Dispose(bool disposing)
    {
        if (IsDisposed)
            return;
        IsDisposed = true;
        foreach (var value in _kept)
            value.Dispose();
        _kept.Clear();
        _tableRows.Clear();
        _sequences.Clear();
        _rows.Clear();
        _groups.Clear();
        _pairs.Clear();
    }

    private static TValue Once<TKey, TValue>(Dictionary<TKey, TValue> made, TKey key, Func<TValue> make)
        where TKey : notnull
    {
        if (!made.TryGetValue(key, out var value))
            made.Add(key, value = make());
        return value;
    }

    private static TorchTensor Own(Tensor tensor) => (TorchTensor)tensor;

    private TorchKeyValueCache Own(KeyValueCache cache) => cache is TorchKeyValueCache own && own.Engine == engine
        ? own
        : throw new ArgumentException("The cache belongs to another engine.", nameof(cache));

    private static TorchTensor? OwnOrNull(Tensor? tensor) => (TorchTensor?)tensor;

    /// <summary>Notes a layout: the largest is named when the device runs out of memory.</summary>
    private void Note(SequenceLayout layout)
    {
        if (layout.Tokens > (_largestLayout?.Tokens ?? 0))
            _largestLayout = layout;
    }
}
