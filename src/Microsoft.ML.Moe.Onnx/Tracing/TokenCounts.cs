using Microsoft.ML.Moe.Onnx.Graph;
using DataType = Microsoft.ML.Moe.Onnx.Format.TensorProto.Types.DataType;

namespace Microsoft.ML.Moe.Onnx.Tracing;

/// <summary>
/// What poolings make in C# of the rows' numbers of tokens, known by what it is for the traced rows, which have different ones: the last
/// token of each, and the square root of their number.
/// </summary>
/// <param name="graph">Receives the nodes.</param>
/// <param name="rows">The traced rows.</param>
internal sealed class TokenCounts(GraphBuilder graph, TracedRows rows)
{
    private readonly int[] _counts =
    [
        .. Enumerable.Range(0, rows.Sequences)
            .Select(row => Enumerable.Range(row * rows.TracedLength, rows.TracedLength).Count(rows.Tokens.IsToken)),
    ];

    /// <summary>Rows of a packed matrix as indices [B], where some indices are the last token of each row; else null.</summary>
    public Value? LastTokens(ReadOnlySpan<int> indices)
    {
        if (rows.Length is not { } length || indices.Length != rows.Sequences)
            return null;
        for (var row = 0; row < indices.Length; row++)
        {
            if (indices[row] != row * rows.TracedLength + _counts[row] - 1)
                return null;
        }

        var starts = graph.Multiply(graph.Range(graph.Squeeze(rows.Runtime, 0)), length);
        return graph.Subtract(graph.Add(starts, Counts()), graph.Whole(1));
    }

    /// <summary>
    /// [B, D], the same in all columns, where some numbers are the square roots of the rows' numbers of tokens; else null.
    /// </summary>
    public Value? SquareRoots(ReadOnlySpan<float> values, ReadOnlySpan<int> shape)
    {
        if (rows.Length is null || shape.Length != 2 || shape[0] != rows.Sequences)
            return null;
        for (var row = 0; row < rows.Sequences; row++)
        {
            if (values.Slice(row * shape[1], shape[1]).ContainsAnyExcept(MathF.Sqrt(_counts[row])))
                return null;
        }

        var roots = graph.Unsqueeze(graph.Each("Sqrt", graph.Cast(Counts(), DataType.Float)), 1);
        return graph.Expand(roots, graph.Vector(1, shape[1]));
    }

    private Value Counts() => graph.Sum(graph.Cast(rows.IsToken!.Value, DataType.Int64), axis: 1, keeps: false);
}
