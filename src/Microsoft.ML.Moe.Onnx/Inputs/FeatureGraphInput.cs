using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Onnx.Graph;
using Microsoft.ML.Moe.Onnx.Tracing;
using DataType = Microsoft.ML.Moe.Onnx.Format.TensorProto.Types.DataType;

namespace Microsoft.ML.Moe.Onnx.Inputs;

/// <summary>
/// Rows of features: the graph reads what the pipeline gives the model, [B, slots], and does itself what <see cref="FeatureInput"/> does:
/// missing and infinite values, the scales of numbers and of binary slots, and between which edges a number lies.
/// </summary>
internal sealed class FeatureGraphInput : GraphInput
{
    /// <summary>Name of the input.</summary>
    public const string Name = "Features";

    private readonly GraphBuilder _graph;
    private readonly FeatureInputConfig _config;
    private readonly FeatureBatch _batch;
    private readonly Value _features;

    public FeatureGraphInput(GraphBuilder graph, FeatureInput input, IReadOnlyCollection<int> sizes)
    {
        (_graph, _config) = (graph, input.Config);
        _features = graph.Input(Name, DataType.Float, "rows", input.Slots);
        var count = TracedRows.CountFor([.. sizes, input.Members, _config.Edges, _config.Numbers.Length]);
        var zeros = FeatureRow.Dense(new float[input.Slots]);
        _batch = (FeatureBatch)input.CreatePacker(default).Pack([.. Enumerable.Repeat(zeros, count)]);
        Rows = new TracedRows { Count = count, Tokens = _batch.Layout, Runtime = graph.SizeOf(_features, 0) };
    }

    /// <inheritdoc/>
    public override TracedRows Rows { get; }

    /// <inheritdoc/>
    public override Batch Batch => _batch;

    /// <inheritdoc/>
    public override void BindTo(OnnxTape tape)
    {
        var direct = new List<Value>();
        if (_config.Numbers.Length > 0)
        {
            var numbers = Completed(Slots(_config.Numbers.Select(number => number.Slot)));
            if (_config.EmbeddingWidth == 0)
                direct.Add(Scaled(numbers));
            else
                BindNumbers(tape, numbers);
        }

        if (_config.Binaries.Length > 0)
            direct.Add(Binaries());
        if (_config.MissingSlots.Length > 0)
            direct.Add(_graph.Cast(_graph.Each("IsNaN", Slots(_config.MissingSlots)), DataType.Float));
        if (_config.Categories.Length > 0)
            direct.Add(Categories());
        if (direct.Count > 0)
            tape.Bind(() => _batch.Direct, direct.Count == 1 ? direct[0] : _graph.Concat(1, [.. direct]));
        if (_config.TableSlots.Length > 0)
            tape.Bind(_batch.Table, BoundBags.OfAll(TableWeights()));
    }

    private void BindNumbers(OnnxTape tape, Value numbers)
    {
        var count = _config.Numbers.Length;
        long[] places = [.. Enumerable.Range(0, count).SelectMany(number => new long[] { number, count + number })];
        var scaled = _graph.Unsqueeze(Scaled(numbers), 2);
        var ones = _graph.Expand(_graph.Number(1f), _graph.Shape(scaled));
        var indices = _graph.Expand(_graph.Integers(places, 1, count, 2), _graph.Concat(0, Rows.Runtime, _graph.Vector(1, 1)));
        tape.Bind(_batch.Affine, BoundBags.OfSome(Pairs(indices), Pairs(_graph.Concat(2, scaled, ones))));
        if (_config.Edges == 0)
            return;
        var (edges, shares) = Located(numbers);
        var first = _graph.Add(_graph.Multiply(edges, _graph.Whole(count)), _graph.Range(_graph.Whole(count)));
        var second = _graph.Add(first, _graph.Whole(count));
        var rest = _graph.Subtract(_graph.Number(1f), shares);
        tape.Bind(_batch.Edges, BoundBags.OfSome(Beside(first, second), Beside(rest, shares)));

        Value Pairs(Value xBN2) => _graph.Reshape(xBN2, -1, 2);
        Value Beside(Value left, Value right) => Pairs(_graph.Concat(2, _graph.Unsqueeze(left, 2), _graph.Unsqueeze(right, 2)));
    }

    /// <summary>Columns of the input.</summary>
    private Value Slots(IEnumerable<int> slots)
    {
        long[] numbers = [.. slots.Select(slot => (long)slot)];
        return _graph.Gather(_features, _graph.Integers(numbers, numbers.Length), axis: 1);
    }

    /// <summary>Numbers without missing and infinite ones; see <see cref="NumberSlot.Complete"/>.</summary>
    private Value Completed(Value x)
    {
        x = _graph.Where(_graph.Each("IsNaN", x), Of(number => number.Missing), x);
        x = _graph.Where(_graph.Greater(x, _graph.Number(float.MaxValue)), Of(number => number.Most), x);
        return _graph.Where(_graph.Less(x, _graph.Number(float.MinValue)), Of(number => number.Least), x);

        Value Of(Func<NumberSlot, float> value) => _graph.Floats([.. _config.Numbers.Select(value)], _config.Numbers.Length);
    }

    /// <summary>z/√(1 + (z/bend)²) of the standardised numbers; see <see cref="NumberSlot.Scale"/>.</summary>
    private Value Scaled(Value x)
    {
        var z = _graph.Divide(_graph.Subtract(Precise(x), Of(number => number.Mean)), Of(number => number.Deviation));
        var bent = _graph.Divide(z, _graph.Double(NumberSlot.Bend));
        var length = _graph.Each("Sqrt", _graph.Add(_graph.Double(1), _graph.Multiply(bent, bent)));
        return Single(_graph.Divide(z, length));

        Value Of(Func<NumberSlot, double> value) => _graph.Doubles([.. _config.Numbers.Select(value)], _config.Numbers.Length);
    }

    /// <summary>
    /// The edge below each number, [B, N], and its share of the way to the next, [B, N]; see <see cref="NumberSlot.Locate"/>. A number
    /// without edges stays at the first.
    /// </summary>
    private (Value Edges, Value Shares) Located(Value x)
    {
        var (count, most) = (_config.Numbers.Length, _config.Edges);
        var edges = new double[count * most];
        Array.Fill(edges, double.PositiveInfinity);
        for (var number = 0; number < count; number++)
            for (var edge = 0; edge < _config.Numbers[number].Edges.Length; edge++)
                edges[number * most + edge] = _config.Numbers[number].Edges[edge];
        var precise = Precise(x);
        var isReached = _graph.LessOrEqual(_graph.Doubles(edges, 1, count, most), _graph.Unsqueeze(precise, 2));
        var reached = _graph.Sum(_graph.Cast(isReached, DataType.Int64), axis: 2, keeps: false);
        long[] last = [.. _config.Numbers.Select(number => Math.Max(0L, number.Edges.Length - 2))];
        var edge0 = _graph.Smaller(_graph.Larger(_graph.Subtract(reached, _graph.Whole(1)), _graph.Whole(0)), _graph.Integers(last, count));
        long[] starts = [.. Enumerable.Range(0, count).Select(number => (long)number * most)];
        var place = _graph.Add(edge0, _graph.Integers(starts, count));
        var flat = _graph.Doubles(edges, edges.Length);
        var (low, high) = (_graph.Gather(flat, place), _graph.Gather(flat, _graph.Add(place, _graph.Whole(1))));
        var share = _graph.Divide(_graph.Subtract(precise, low), _graph.Subtract(high, low));
        share = _graph.Smaller(_graph.Larger(share, _graph.Double(0)), _graph.Double(1));
        var hasEdges = _graph.Greater(
            _graph.Floats([.. _config.Numbers.Select(number => number.Edges.Length > 0 ? 1f : 0f)], count), _graph.Number(0f));
        return (edge0, _graph.Where(hasEdges, Single(share), _graph.Number(0f)));
    }

    /// <summary>See <see cref="BinarySlot.Scale"/>.</summary>
    private Value Binaries()
    {
        var x = Slots(_config.Binaries.Select(binary => binary.Slot));
        var missing = _graph.Floats([.. _config.Binaries.Select(binary => binary.Missing)], _config.Binaries.Length);
        x = _graph.Where(_graph.Each("IsNaN", x), missing, x);
        var low = Of(binary => binary.Low);
        var share = _graph.Divide(_graph.Subtract(Precise(x), low), Of(binary => (double)binary.High - binary.Low));
        return Single(_graph.Smaller(_graph.Larger(share, _graph.Double(0)), _graph.Double(1)));

        Value Of(Func<BinarySlot, double> value) => _graph.Doubles([.. _config.Binaries.Select(value)], _config.Binaries.Length);
    }

    /// <summary>1 for the value that a category has, 0 for the others; see <see cref="CategorySlot.ColumnOf"/>.</summary>
    private Value Categories()
    {
        float[] values = [.. _config.Categories.SelectMany(category => category.Values)];
        var x = Slots(_config.Categories.SelectMany(category => category.Values.Select(_ => category.Slot)));
        return _graph.Cast(_graph.Equal(x, _graph.Floats(values, values.Length)), DataType.Float);
    }

    /// <summary>[B, S]: how much of each row of the slots' table; nothing where a value is missing.</summary>
    private Value TableWeights()
    {
        var x = Slots(_config.TableSlots.Select(slot => slot.Slot));
        var scaled = _graph.Multiply(x, _graph.Floats([.. _config.TableSlots.Select(slot => slot.Scale)], _config.TableSlots.Length));
        var weights = _graph.Smaller(_graph.Larger(scaled, _graph.Number(-1f)), _graph.Number(1f));
        return _graph.Where(_graph.LessOrEqual(_graph.Each("Abs", x), _graph.Number(float.MaxValue)), weights, _graph.Number(0f));
    }

    private Value Precise(Value x) => _graph.Cast(x, DataType.Double);

    private Value Single(Value x) => _graph.Cast(x, DataType.Float);
}
