using Microsoft.ML.Moe.Onnx.Graph;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Onnx.Tracing;

// Operations within the sequences of a row. B rows, L tokens of each, H heads, G heads of keys and values.
internal sealed partial class OnnxTape
{
    /// <summary>Score of a key that is not seen: its exponential is 0, and a row of them alone still has a softmax.</summary>
    private const float Unseen = -1e30f;

    private readonly List<(RotaryFrequencies Turns, (Value Cosines, Value Sines) Tables)> _turns = [];

    /// <inheritdoc/>
    protected override Tensor AttentionCore(Tensor qkvT3D, SequenceLayout layout, int heads, float dropout)
    {
        var own = LayoutOf(layout);
        var width = qkvT3D.Columns / 3;
        var qkv3BHLK = graph.Transpose(own.Split(graph, ValueOf(qkvT3D), 3, heads, width / heads), 2, 0, 3, 1, 4);
        var outBHLK = Attend(
            Part(0), Part(1), Part(2), 1f / MathF.Sqrt(width / heads), bias: null, Seen(new AttentionSpec(heads), own, own));
        return new TracedTensor(Merge(outBHLK, width), layout.Tokens, width);

        Value Part(int number) => graph.Gather(qkv3BHLK, graph.Whole(number));
    }

    /// <inheritdoc/>
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
        if (sinksH is not null)
            throw Unsupported.Operation("attention with sinks");
        var (ofQueries, ofKeys) = (LayoutOf(queries), LayoutOf(keys));
        var (width, valueWidth) = (qTD.Columns / spec.Heads, vSD.Columns / spec.KeyValueHeads);
        var q = Heads(ofQueries, qTD, spec.Heads);
        var k = Shared(Heads(ofKeys, kSD, spec.KeyValueHeads));
        var v = Shared(Heads(ofKeys, vSD, spec.KeyValueHeads));
        var ofDistances = bias is { } given ? Bias(given, ofQueries, ofKeys) : (Value?)null;
        var outBHTV = Attend(q, k, v, spec.Scale ?? 1f / MathF.Sqrt(width), ofDistances, Seen(spec, ofQueries, ofKeys));
        return new TracedTensor(Merge(outBHTV, spec.Heads * valueWidth), queries.Tokens, spec.Heads * valueWidth);

        Value Heads(RowLayout layout, Tensor x, int heads) =>
            graph.Transpose(layout.Split(graph, ValueOf(x), heads, x.Columns / heads), 0, 2, 1, 3);

        // each head of keys and values once for each head of queries that it serves
        Value Shared(Value xBGSK)
        {
            if (spec.KeyValueHeads == spec.Heads)
                return xBGSK;
            int[] serving = [.. Enumerable.Range(0, spec.Heads).Select(head => head / (spec.Heads / spec.KeyValueHeads))];
            return graph.Gather(xBGSK, Places(serving), axis: 1);
        }
    }

    /// <inheritdoc/>
    protected override Tensor RotaryCore(Tensor xTD, ReadOnlySpan<int> positions, int heads, ReadOnlySpan<RotaryFrequencies> rotary)
    {
        if (RowPattern.Of(positions, rows.Sequences) is not (0, var places) || places.Length != rows.TracedLength || rotary.Length == 0)
            throw Unsupported.Because("its rotary positions are not those of a row's tokens");
        foreach (var others in rotary)
        {
            if (!AreEqual(others, rotary[0]))
                throw Unsupported.Because("its rotary positions turn differently from row to row");
        }

        var turns = rotary[0];
        var (pairs, first, width) = (turns.Pairs, turns.FirstColumn, xTD.Columns / heads);
        var xBLHK = LayoutOf(rows.Tokens).Split(graph, ValueOf(xTD), heads, width);
        var (cosinesL1P, sinesL1P) = Turns(turns, places);
        // the two of a pair: neighbours, or half of the turned columns apart
        int[] columnsOfFirst = [.. Enumerable.Range(0, pairs).Select(pair => first + (turns.IsInterleaved ? 2 * pair : pair))];
        int[] columnsOfSecond = [.. columnsOfFirst.Select(column => column + (turns.IsInterleaved ? 1 : pairs))];
        var (a, b) = (graph.Gather(xBLHK, Places(columnsOfFirst), axis: 3), graph.Gather(xBLHK, Places(columnsOfSecond), axis: 3));
        var firsts = graph.Subtract(graph.Multiply(a, cosinesL1P), graph.Multiply(b, sinesL1P));
        var seconds = graph.Add(graph.Multiply(a, sinesL1P), graph.Multiply(b, cosinesL1P));
        int[] rest = [.. Enumerable.Range(0, width).Except(columnsOfFirst).Except(columnsOfSecond)];
        var turned = graph.Concat(3, firsts, seconds);
        if (rest.Length > 0)
            turned = graph.Concat(3, turned, graph.Gather(xBLHK, Places(rest), axis: 3));
        int[] order = [.. columnsOfFirst, .. columnsOfSecond, .. rest];
        int[] back = [.. Enumerable.Range(0, width).Select(column => Array.IndexOf(order, column))];
        return Like(xTD, graph.Reshape(graph.Gather(turned, Places(back), axis: 3), -1, xTD.Columns));
    }

    /// <inheritdoc/>
    protected override Tensor AttentionPoolCore(Tensor xTD, Tensor scoresTQ, SequenceLayout layout)
    {
        var own = LayoutOf(layout);
        var scoresBLQ = own.Split(graph, ValueOf(scoresTQ), scoresTQ.Columns);
        if (own.IsToken is { } mask)
            scoresBLQ = graph.Where(graph.Unsqueeze(mask, 2), scoresBLQ, graph.Number(Unseen));
        var sharesBQL = graph.Transpose(graph.Softmax(scoresBLQ, axis: 1), 0, 2, 1);
        var pooledBQD = graph.MatMul(sharesBQL, own.Split(graph, ValueOf(xTD), xTD.Columns));
        var columns = xTD.Columns * scoresTQ.Columns;
        return OfRows(graph.Reshape(pooledBQD, -1, columns), own, columns);
    }

    /// <inheritdoc/>
    protected override Tensor MaxPoolCore(Tensor xTD, SequenceLayout layout)
    {
        var own = LayoutOf(layout);
        var xBLD = own.Split(graph, ValueOf(xTD), xTD.Columns);
        if (own.IsToken is { } mask)
            xBLD = graph.Where(graph.Unsqueeze(mask, 2), xBLD, graph.Number(Unseen));
        return OfRows(graph.Largest(xBLD, axis: 1, keeps: false), own, xTD.Columns);
    }

    /// <inheritdoc/>
    protected override Tensor MeanPoolCore(Tensor xTD, SequenceLayout layout)
    {
        var own = LayoutOf(layout);
        var xBLD = own.Split(graph, ValueOf(xTD), xTD.Columns);
        if (own.Tokens(graph) is not { } tokens)
            return OfRows(graph.Mean(xBLD, axis: 1, keeps: false), own, xTD.Columns);
        var maskBL1 = own.Split(graph, tokens, 1);
        // where rather than a product: padding may be anything, even not a number
        var kept = graph.Where(graph.Greater(maskBL1, graph.Number(0f)), xBLD, graph.Number(0f));
        var count = graph.Larger(graph.Sum(maskBL1, axis: 1, keeps: false), graph.Number(1f));
        return OfRows(graph.Divide(graph.Sum(kept, axis: 1, keeps: false), count), own, xTD.Columns);
    }

    /// <inheritdoc/>
    protected override Tensor CachedAttentionCore(
        Tensor qTD,
        Tensor? kTD,
        Tensor? vTD,
        AttentionSpec spec,
        SequenceLayout layout,
        KeyValueCache cache,
        AttentionBias? bias,
        Tensor? sinksH) => throw Unsupported.Operation(nameof(CachedAttention));

    /// <inheritdoc/>
    protected override void AppendCore(KeyValueCache cache, Tensor kTD, Tensor vTD, SequenceLayout layout) =>
        throw Unsupported.Operation(nameof(Append));

    /// <summary>Cosines and sines, [L, 1, P], which all layers share.</summary>
    private (Value Cosines, Value Sines) Turns(RotaryFrequencies turns, int[] places)
    {
        foreach (var (known, made) in _turns)
        {
            if (AreEqual(known, turns))
                return made;
        }

        var (cosines, sines) = (new float[places.Length * turns.Pairs], new float[places.Length * turns.Pairs]);
        for (var i = 0; i < cosines.Length; i++)
            (cosines[i], sines[i]) = turns.Turn(places[i / turns.Pairs], i % turns.Pairs);
        var tables = (Table(cosines), Table(sines));
        _turns.Add((turns, tables));
        return tables;

        Value Table(float[] values) => UpToLength(graph.Floats(values, places.Length, 1, turns.Pairs), places.Length);
    }

    private static bool AreEqual(RotaryFrequencies one, RotaryFrequencies other) => one == other
        || ((one.Amplitude, one.FirstColumn, one.IsInterleaved) == (other.Amplitude, other.FirstColumn, other.IsInterleaved)
            && one.Values.SequenceEqual(other.Values));

    /// <summary>What was pooled of each row, zeros of one without tokens.</summary>
    private TracedTensor OfRows(Value pooled, RowLayout layout, int columns)
    {
        if (layout.Tokens(graph) is { } tokens)
        {
            var hasTokens = graph.Greater(graph.Largest(layout.Split(graph, tokens), axis: 1), graph.Number(0f));
            pooled = graph.Where(hasTokens, pooled, graph.Number(0f));
        }

        return new TracedTensor(pooled, rows.Sequences, columns);
    }

    private Value Attend(Value q, Value k, Value v, float scale, Value? bias, Value? seen)
    {
        var scores = graph.Multiply(graph.MatMul(q, graph.Transpose(k, 0, 1, 3, 2)), graph.Number(scale));
        if (bias is { } ofDistances)
            scores = graph.Add(scores, ofDistances);
        if (seen is { } isSeen)
            scores = graph.Where(isSeen, scores, graph.Number(Unseen));
        return graph.MatMul(graph.Softmax(scores), v);
    }

    /// <summary>[B, H, L, K] → [B·L, H·K].</summary>
    private Value Merge(Value xBHLK, int columns) => graph.Reshape(graph.Transpose(xBHLK, 0, 2, 1, 3), -1, columns);

    /// <summary>Which keys which queries see, as [B, 1, T, S] or what is broadcast to it; null for all.</summary>
    private Value? Seen(AttentionSpec spec, RowLayout queries, RowLayout keys)
    {
        Value? seen = keys.IsToken is { } mask ? graph.Unsqueeze(mask, 1, 2) : null;
        if (!spec.IsCausal && spec.Window is null)
            return seen;
        var distances = Distances(queries, keys);
        if (spec.IsCausal)
            See(graph.LessOrEqual(distances, graph.Whole(0)));
        if (spec.Window is { } window)
            See(graph.Less(graph.Each("Abs", distances), graph.Whole(window)));
        return seen;

        void See(Value near) => seen = seen is { } before ? graph.And(before, near) : near;
    }

    /// <summary>[T, S]: position of the key minus that of the query; queries stand at the end of the keys.</summary>
    private Value Distances(RowLayout queries, RowLayout keys)
    {
        var (ofQueries, ofKeys) = (graph.Squeeze(queries.Length, 0), graph.Squeeze(keys.Length, 0));
        var positions = graph.Add(graph.Range(ofQueries), graph.Subtract(ofKeys, ofQueries));
        return graph.Subtract(graph.Unsqueeze(graph.Range(ofKeys), 0), graph.Unsqueeze(positions, 1));
    }

    /// <summary>[H, T, S]: what each distance adds to the scores.</summary>
    private Value Bias(AttentionBias bias, RowLayout queries, RowLayout keys)
    {
        var numbers = graph.Add(Distances(queries, keys), graph.Whole(bias.Zero));
        return graph.Transpose(graph.Gather(ValueOf(bias.ValuesRH), numbers), 2, 0, 1);
    }
}
