using Microsoft.ML.Moe.Onnx.Graph;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Onnx.Tracing;

/// <summary>Sequences of equal length in the graph, as many as rows: a packed matrix [B·L, D] is also one [B, L, D].</summary>
/// <param name="Sequences">B, a vector of one.</param>
/// <param name="Length">L, a vector of one.</param>
/// <param name="Fixed">L where it is always the same; null where it is known when the graph runs.</param>
/// <param name="IsToken">[B, L]: whether a token is one, and not padding; null where there is none.</param>
internal readonly record struct RowLayout(Value Sequences, Value Length, int? Fixed, Value? IsToken)
{
    /// <summary>What a layout of the traced rows is in the graph.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="rows">The traced rows.</param>
    /// <param name="layout">Their tokens, or those of them that count, or as many slots of each.</param>
    public static RowLayout Of(GraphBuilder graph, TracedRows rows, SequenceLayout layout)
    {
        if (layout.Sequences != rows.Sequences || layout.Tokens % rows.Sequences != 0)
            throw Ragged();
        var length = layout.Tokens / rows.Sequences;
        for (var row = 0; row < rows.Sequences; row++)
        {
            if (layout.Offsets[row] != row * length)
                throw Ragged();
        }

        // traced tokens have padding wherever their number is free, and slots have none
        if (length != rows.TracedLength || rows.Length is not { } dynamicLength || layout.Mask.IsEmpty)
            return new RowLayout(rows.Runtime, graph.Vector(length), length, null);
        return new RowLayout(rows.Runtime, dynamicLength, null, MaskOf(graph, rows, layout));
    }

    /// <summary>[B·L, …] as [B, L, …].</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="x">A packed matrix.</param>
    /// <param name="sizes">The sizes that follow.</param>
    public Value Split(GraphBuilder graph, Value x, params long[] sizes) => Fixed is { } length
        ? graph.Reshape(x, [-1, length, .. sizes])
        : graph.ReshapeTo(x, graph.Concat(0, graph.Vector(-1), Length, graph.Vector(sizes)));

    /// <summary>[T, 1] as numbers: 1 for tokens, 0 for padding; null where there is no padding.</summary>
    public Value? Tokens(GraphBuilder graph) => IsToken is { } mask
        ? graph.Reshape(graph.Cast(mask, Format.TensorProto.Types.DataType.Float), -1, 1)
        : null;

    private static Value? MaskOf(GraphBuilder graph, TracedRows rows, SequenceLayout layout)
    {
        if (layout == rows.Tokens)
            return rows.IsToken;
        var length = rows.TracedLength;
        var excluded = 0;
        while (excluded < length && rows.Tokens.IsToken(excluded) && !layout.IsToken(excluded))
            excluded++;
        for (var token = 0; token < layout.Tokens; token++)
        {
            if (layout.IsToken(token) != (rows.Tokens.IsToken(token) && token % length >= excluded))
                throw Unsupported.Because("a layer reads some of a row's tokens, by another rule than leaving out the first");
        }

        var positions = graph.Range(graph.Squeeze(rows.Length!.Value, 0));
        return graph.And(rows.IsToken!.Value, graph.GreaterOrEqual(positions, graph.Whole(excluded)));
    }

    private static NotSupportedException Ragged() =>
        Unsupported.Because("a layer divides a row's tokens into sequences");
}
