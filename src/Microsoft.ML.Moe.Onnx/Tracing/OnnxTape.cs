using Microsoft.ML.Moe.Onnx.Graph;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Onnx.Tracing;

/// <summary>
/// A tape whose operations compute nothing, but write the nodes that compute it: a model that runs on it once is a graph, whatever its
/// architecture. The model's own rows are a few traced ones; see <see cref="TracedRows"/> for how they come to stand for any number.
/// Numbers and indices that the input of the graph gives are bound to it by <see cref="Bind(Func{ReadOnlySpan{float}}, Value)"/> and its
/// like.
/// </summary>
/// <param name="graph">Receives the nodes.</param>
/// <param name="rows">The traced rows.</param>
/// <param name="names">Names of the model's parameters.</param>
/// <param name="operators">Which operators mixtures become.</param>
internal sealed partial class OnnxTape(
    GraphBuilder graph, TracedRows rows, IReadOnlyDictionary<Tensor, string> names, OnnxOperators operators) : Tape
{
    private readonly TokenCounts _counts = new(graph, rows);
    private readonly Dictionary<Tensor, Value> _parameters = [];
    private readonly Dictionary<SequenceLayout, RowLayout> _layouts = [];
    private readonly List<(Func<ReadOnlySpan<float>> Values, Value Value)> _boundValues = [];
    private readonly List<(Func<ReadOnlySpan<int>> Indices, Value Value)> _boundIndices = [];
    private readonly Dictionary<RaggedIndices, BoundBags> _bags = [];

    /// <inheritdoc/>
    public override bool IsTraining => false;

    /// <summary>Has numbers that layers take for constants come from the graph.</summary>
    /// <param name="values">The numbers where layers read them.</param>
    /// <param name="value">As many numbers of each row when the graph runs, in the shape that layers give them.</param>
    public void Bind(Func<ReadOnlySpan<float>> values, Value value) => _boundValues.Add((values, value));

    /// <summary>Has indices come from the graph.</summary>
    /// <param name="indices">The indices where layers read them.</param>
    /// <param name="value">A vector of them.</param>
    public void Bind(Func<ReadOnlySpan<int>> indices, Value value) => _boundIndices.Add((indices, value));

    /// <summary>Has bags of a table's rows come from the graph.</summary>
    public void Bind(RaggedIndices bags, BoundBags value) => _bags.Add(bags, value);

    /// <summary>The name of a parameter.</summary>
    public string NameOf(Tensor parameter) => names[parameter];

    /// <summary>The value of a tensor: what a node gives, or a parameter as a constant.</summary>
    public Value ValueOf(Tensor tensor)
    {
        if (tensor is TracedTensor traced)
            return traced.Value;
        if (!_parameters.TryGetValue(tensor, out var value))
            _parameters.Add(tensor, value = graph.Constant(names[tensor], SizesOf(tensor.Shape), TensorParts.Of(tensor)));
        return value;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
    }

    /// <inheritdoc/>
    protected override void Begin()
    {
    }

    /// <inheritdoc/>
    protected override bool UseCore(Tensor tensor, string name) => tensor is TracedTensor || (names.ContainsKey(tensor)
        ? false
        : throw new ArgumentException($"{name} is of another model.", name));

    /// <inheritdoc/>
    protected override uint NextKey() => throw Unsupported.Operation("of random numbers");

    /// <inheritdoc/>
    protected override Tensor ConstantCore(ReadOnlySpan<float> values, ReadOnlySpan<int> shape)
    {
        if (Bound(values) is { } bound)
            return new TracedTensor(bound, shape);
        var isOfOnes = !values.ContainsAnyExcept(1f);
        var sizes = SizesOf(shape);
        if (!GrowsWithRows(shape))
            return new TracedTensor(graph.Floats(values.ToArray(), sizes), shape) { IsOfOnes = isOfOnes };
        if (_counts.SquareRoots(values, shape) is { } roots)
            return new TracedTensor(roots, shape);
        var own = values[..(values.Length / rows.Sequences)];
        for (var start = own.Length; start < values.Length; start += own.Length)
        {
            if (!values.Slice(start, own.Length).SequenceEqual(own))
                throw Unsupported.Because("a layer's numbers depend on how many tokens a row has", "Choose another pooling, such as Mean");
        }

        sizes[0] /= rows.Sequences;
        // what has one number for each token is of the tokens, and not of as many slots
        var once = graph.Floats(own.ToArray(), sizes);
        if (own.Length == rows.TracedLength)
            once = UpToLength(once, sizes[0]);
        return new TracedTensor(ForEachRow(once, sizes), shape) { IsOfOnes = isOfOnes };
    }

    /// <inheritdoc/>
    protected override Tensor EmbeddingCore(Tensor tableVD, ReadOnlySpan<int> indices)
    {
        var table = ValueOf(tableVD);
        int[] shape = [indices.Length, tableVD.Columns];
        if (Bound(indices) is { } bound)
            return new TracedTensor(graph.Gather(table, bound), shape);
        if (_counts.LastTokens(indices) is { } last)
            return new TracedTensor(graph.Gather(table, last), shape);
        // of the sequences, or of rows that pick from their sequences
        var pattern = RowPattern.Of(indices, rows.Sequences) ?? (rows.Windows > 1 ? RowPattern.Of(indices, rows.Count) : null);
        if (pattern is null && indices.Length % rows.Count != 0 && !GrowsWithRows(tableVD.Shape))
            return new TracedTensor(graph.Gather(table, Places(indices.ToArray())), shape);
        if (pattern is not var (stride, places) || stride > 0 != GrowsWithRows(tableVD.Shape))
            throw PicksTokens();
        if (stride == 0)
        {
            var once = graph.Gather(table, UpToLength(Places(places), places.Length));
            return new TracedTensor(ForEachRow(once, [places.Length, shape[1]]), shape);
        }

        return new TracedTensor(OfOwnRows(table, stride, places, shape[1]), shape);
    }

    /// <inheritdoc/>
    protected override Tensor EmbeddingBagCore(Tensor tableVD, RaggedIndices bags, Tensor? factorsN)
    {
        if (factorsN is not null)
            throw Unsupported.Because("a layer makes weights of bags");
        if (!_bags.TryGetValue(bags, out var bound))
            throw Unsupported.Because("a layer makes bags of its own");
        return new TracedTensor(bound.SumOf(graph, ValueOf(tableVD)), bags.Count, tableVD.Columns);
    }

    /// <inheritdoc/>
    protected override Tensor LinearCore(Tensor x, Tensor weightIO, Tensor? bias, Activation activation)
    {
        var (from, weight) = (ValueOf(x), ValueOf(weightIO));
        var sum = bias is null ? graph.MatMul(from, weight)
            : x.Rank == 2 ? graph.Gemm(from, weight, ValueOf(bias))
            : graph.Add(graph.MatMul(from, weight), ValueOf(bias));
        return new TracedTensor(Activations.Apply(graph, sum, activation), [.. x.Shape[..^1], weightIO.Columns]);
    }

    /// <inheritdoc/>
    protected override Tensor LayerNormCore(Tensor x, Tensor gain, Tensor bias, float epsilon) =>
        Like(x, graph.LayerNorm(ValueOf(x), ValueOf(gain), ValueOf(bias), epsilon));

    /// <inheritdoc/>
    protected override Tensor RmsNormCore(Tensor x, Tensor gain, float epsilon)
    {
        var value = ValueOf(x);
        if (gain.Length < x.Columns)
            value = graph.Reshape(value, -1, gain.Length);
        var mean = graph.Mean(graph.Multiply(value, value), -1);
        var normed = graph.Multiply(
            graph.Divide(value, graph.Each("Sqrt", graph.Add(mean, graph.Number(epsilon)))), ValueOf(gain));
        return Like(x, gain.Length < x.Columns ? graph.Reshape(normed, -1, x.Columns) : normed);
    }

    /// <inheritdoc/>
    protected override Tensor MultiplyCore(Tensor left, Tensor right) => Like(left, graph.Multiply(ValueOf(left), ValueOf(right)));

    /// <inheritdoc/>
    protected override Tensor AddCore(Tensor left, Tensor right) => Like(left, graph.Add(ValueOf(left), ValueOf(right)));

    /// <inheritdoc/>
    protected override Tensor AddDroppedCore(Tensor left, Tensor right, float rate) => AddCore(left, right);

    /// <inheritdoc/>
    protected override Tensor ScaleCore(Tensor x, float factor) => Like(x, graph.Multiply(ValueOf(x), graph.Number(factor)));

    /// <inheritdoc/>
    protected override Tensor ClampCore(Tensor x, float minimum, float maximum) =>
        Like(x, graph.Smaller(graph.Larger(ValueOf(x), graph.Number(minimum)), graph.Number(maximum)));

    /// <inheritdoc/>
    protected override Tensor ActivateCore(Tensor x, Activation activation) => Like(x, Activations.Apply(graph, ValueOf(x), activation));

    /// <inheritdoc/>
    protected override Tensor ConcatCore(ReadOnlySpan<Tensor> parts)
    {
        var values = new Value[parts.Length];
        var columns = 0;
        for (var i = 0; i < parts.Length; i++)
        {
            values[i] = ValueOf(parts[i]);
            columns += parts[i].Columns;
        }

        return new TracedTensor(graph.Concat(1, values), parts[0].Shape[0], columns);
    }

    /// <inheritdoc/>
    protected override Tensor ReshapeCore(Tensor x, ReadOnlySpan<int> shape)
    {
        var sizes = SizesOf(shape);
        if (GrowsWithRows(shape))
            sizes[0] = -1;
        return new TracedTensor(graph.Reshape(ValueOf(x), sizes), shape);
    }

    /// <inheritdoc/>
    protected override Tensor DropoutCore(Tensor x, float rate) => x;

    /// <inheritdoc/>
    protected override Tensor SoftmaxCore(Tensor x) => Like(x, graph.Softmax(ValueOf(x)));

    /// <inheritdoc/>
    protected override Tensor NormalizeCore(Tensor x)
    {
        var value = ValueOf(x);
        var length = graph.Each("Sqrt", graph.Sum(graph.Multiply(value, value), -1));
        return Like(x, graph.Divide(value, graph.Larger(length, graph.Number(1e-12f))));
    }

    private static TracedTensor Like(Tensor x, Value value) => new(value, x.Shape);

    private static long[] SizesOf(ReadOnlySpan<int> shape) => [.. shape.ToArray().Select(size => (long)size)];

    private static NotSupportedException PicksTokens() => Unsupported.Because(
        "a layer picks tokens by their number in the row", "Choose another pooling, such as FirstToken or Mean");

    private bool GrowsWithRows(ReadOnlySpan<int> shape) => shape.Length > 0 && shape[0] > 0 && shape[0] % rows.Count == 0;

    private RowLayout LayoutOf(SequenceLayout layout)
    {
        if (!_layouts.TryGetValue(layout, out var found))
            _layouts.Add(layout, found = RowLayout.Of(graph, rows, layout));
        return found;
    }

    private Value Places(int[] places) => graph.Integers([.. places.Select(place => (long)place)], places.Length);

    /// <summary>What was made for the longest row, as far as the rows' length; it does not depend on that.</summary>
    private Value UpToLength(Value x, long size) => rows.Length is { } length && size == rows.TracedLength
        ? graph.Slice(x, graph.Vector(0), length, axis: 0)
        : x;

    /// <summary>[m, …] once for each row: [B·m, …].</summary>
    private Value ForEachRow(Value x, long[] shape)
    {
        Value[] sizes = [rows.Runtime, .. Enumerable.Repeat(graph.Vector(1), shape.Length)];
        return graph.Reshape(graph.Expand(graph.Unsqueeze(x, 0), graph.Concat(0, sizes)), [-1, .. shape[1..]]);
    }

    /// <summary>Of each row's own rows of a table some: [B·s, D] → [B·m, D].</summary>
    private Value OfOwnRows(Value table, int stride, int[] places, int columns)
    {
        if (rows.Length is { } length && stride == rows.TracedLength)
        {
            // each token as often as its attention has heads, say
            var times = places.Length / stride;
            if (places.Length == times * stride && times > 0 && places.Index().All(place => place.Item == place.Index / times))
                return graph.Reshape(graph.Expand(graph.Unsqueeze(table, 1), graph.Vector(1, times, 1)), -1, columns);
            if (places is not [0])
                throw PicksTokens();
            var ofRows = graph.ReshapeTo(table, graph.Concat(0, graph.Vector(-1), length, graph.Vector(columns)));
            return graph.Reshape(graph.Slice(ofRows, 0, 1, axis: 1), -1, columns);
        }

        return graph.Reshape(graph.Gather(graph.Reshape(table, -1, stride, columns), Places(places), axis: 1), -1, columns);
    }

    // spans are equal where they are the same memory
    private Value? Bound(ReadOnlySpan<float> values)
    {
        foreach (var (bound, value) in _boundValues)
        {
            if (bound() == values && values.Length > 0)
                return value;
        }

        return null;
    }

    private Value? Bound(ReadOnlySpan<int> indices)
    {
        foreach (var (bound, value) in _boundIndices)
        {
            if (bound() == indices && indices.Length > 0)
                return value;
        }

        return null;
    }
}
