using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors.Managed;
using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>
/// A tape on libtorch's autograd: checks arguments, hands each operation to the class that implements it, and keeps the results until
/// it is disposed. What an operation makes on its way dies with the operation.
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
    private bool _wentBackward;

    public override bool IsTraining => training;

    public TorchEngine Engine => engine;

    public torch.Device Device => engine.Device;

    /// <summary>What the factors of matrix products are rounded to; the products are of this type as well.</summary>
    public torch.ScalarType ProductType { get; } =
        training && engine.TrainsInBFloat16 ? torch.ScalarType.BFloat16 : torch.ScalarType.Float32;

    public bool IsDisposed { get; private set; }

    /// <summary>Seeds one operation's random numbers.</summary>
    public uint NextRandomKey() => RandomBits.Key(seed, _randomKeys++);

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
    /// <exception cref="ArgumentException">The plan's pairs do not lie within its tokens and experts.</exception>
    public ExpertPairs Pairs(RoutingPlan plan) => Once(_pairs, plan, () =>
    {
        Check.Plan(plan);
        return new ExpertPairs(this, plan);
    });

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

    public override Tensor Constant(ReadOnlySpan<float> values, params ReadOnlySpan<int> shape)
    {
        Begin();
        DeviceMemory.CheckLength(values.Length, shape, nameof(values));
        var (copy, sizes) = (values.ToArray(), shape.ToArray());
        return Run(() => Device.Upload(copy, sizes));
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
        return EmbeddingOperation.Forward(this, Use(tableVD, nameof(tableVD)), bags);
    }

    public override Tensor Linear(Tensor x, Tensor weightIO, Tensor? bias = null, Activation activation = Activation.None)
    {
        Begin();
        return LinearOperation.Forward(
            this, Use(x, nameof(x)), Use(weightIO, nameof(weightIO)), UseOrNull(bias, nameof(bias)), activation, ProductType);
    }

    public override Tensor LayerNorm(Tensor x, Tensor gain, Tensor bias, float epsilon = 1e-5f)
    {
        Begin();
        return LayerNormOperation.Forward(this, Use(x, nameof(x)), Use(gain, nameof(gain)), Use(bias, nameof(bias)), epsilon);
    }

    public override Tensor Add(Tensor left, Tensor right)
    {
        Begin();
        var (first, second) = (Use(left, nameof(left)), Use(right, nameof(right)));
        Check.Shape(second, first.Shape, nameof(right));
        return Run(() => first.Value.add(second.Value));
    }

    public override Tensor AddDropped(Tensor left, Tensor right, float rate) => Add(left, Dropout(right, rate));

    public override Tensor Scale(Tensor x, float factor)
    {
        Begin();
        var used = Use(x, nameof(x));
        return Run(() => used.Value.mul(Scalars.Of(factor)));
    }

    public override Tensor Concat(params ReadOnlySpan<Tensor> parts)
    {
        Begin();
        var used = new TorchTensor[parts.Length];
        for (var i = 0; i < parts.Length; i++)
            used[i] = Use(parts[i], nameof(parts));
        return ConcatOperation.Forward(this, used);
    }

    public override Tensor Dropout(Tensor x, float rate)
    {
        Begin();
        return DropoutOperation.Forward(this, Use(x, nameof(x)), rate);
    }

    public override Tensor Attention(Tensor qkvT3D, SequenceLayout layout, int heads, float dropout = 0f)
    {
        Begin(layout);
        return AttentionOperation.Forward(this, Use(qkvT3D, nameof(qkvT3D)), layout, heads, dropout);
    }

    public override Tensor AttentionPool(Tensor xTD, Tensor scoresTQ, SequenceLayout layout)
    {
        Begin(layout);
        return PoolOperations.Attention(this, Use(xTD, nameof(xTD)), Use(scoresTQ, nameof(scoresTQ)), layout);
    }

    public override Tensor MaxPool(Tensor xTD, SequenceLayout layout)
    {
        Begin(layout);
        return PoolOperations.Max(this, Use(xTD, nameof(xTD)), layout);
    }

    public override Tensor MeanPool(Tensor xTD, SequenceLayout layout)
    {
        Begin(layout);
        return PoolOperations.Mean(this, Use(xTD, nameof(xTD)), layout);
    }

    public override Tensor RouterLogits(Tensor xTD, Tensor routerDE)
    {
        Begin();
        var used = Use(xTD, nameof(xTD));
        Check.Rank(used, 2, nameof(xTD));
        return LinearOperation.Forward(
            this, used, Use(routerDE, nameof(routerDE)), null, Activation.None, torch.ScalarType.Float32);
    }

    public override RoutingPlan Route(Tensor logitsTE, RoutingPolicy policy, SequenceLayout layout)
    {
        Begin(layout);
        ArgumentNullException.ThrowIfNull(policy);
        return RouteOperation.Forward(this, Use(logitsTE, nameof(logitsTE)), policy, layout);
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
            UseOrNull(experts.B1, nameof(experts)),
            Use(experts.W2, nameof(experts)),
            UseOrNull(experts.B2, nameof(experts)),
            UseOrNull(experts.Gate, nameof(experts)),
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
        Begin(layout);
        return RouterLosses.LoadBalancing(this, Use(logitsTE, nameof(logitsTE)), layout);
    }

    public override Tensor RouterZLoss(Tensor logitsTE, SequenceLayout layout)
    {
        Begin(layout);
        return RouterLosses.Z(this, Use(logitsTE, nameof(logitsTE)), layout);
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
        var used = Use(x, nameof(x));
        Check.AtLeastRank(used, 1, nameof(x));
        return Run(() => used.Value.softmax(-1));
    }

    public override void Backward(Tensor loss, float scale = 1f)
    {
        Begin();
        if (!training)
            throw new InvalidOperationException("The tape was not begun for training.");
        if (_wentBackward)
            throw new InvalidOperationException("A tape goes backward once.");
        var root = Use(loss, nameof(loss));
        if (root.Tape is null || root.Length != 1)
            throw new ArgumentException($"The loss must be one element made by this tape but is {Check.Text(loss.Shape)}.", nameof(loss));
        _wentBackward = true;
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

    private void Begin(SequenceLayout layout)
    {
        ArgumentNullException.ThrowIfNull(layout);
        Begin();
        if (layout.Tokens > (_largestLayout?.Tokens ?? 0))
            _largestLayout = layout;
    }

    private void Begin()
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        ObjectDisposedException.ThrowIf(engine.IsDisposed, engine);
    }

    private TorchTensor? UseOrNull(Tensor? tensor, string name) => tensor is null ? null : Use(tensor, name);

    private TorchTensor Use(Tensor tensor, string name)
    {
        ArgumentNullException.ThrowIfNull(tensor, name);
        if (tensor is not TorchTensor used || used.Engine != engine)
            throw new ArgumentException($"{name} belongs to another engine.", name);
        if (used.Tape is not null && used.Tape != this)
            throw new ArgumentException($"{name} belongs to another tape.", name);
        return used;
    }
}
