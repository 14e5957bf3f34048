using Microsoft.ML.Moe.Onnx.Graph;
using Microsoft.ML.Moe.Onnx.Tracing;
using Microsoft.ML.Moe.Routing;
using DataType = Microsoft.ML.Moe.Onnx.Format.TensorProto.Types.DataType;

namespace Microsoft.ML.Moe.Onnx.Routing;

/// <summary>The tokens that compete with each other, as G groups of R: those of a row, those at a position of all rows, or all.</summary>
/// <param name="graph">Receives the nodes.</param>
/// <param name="layout">The rows' tokens.</param>
/// <param name="scope">Which tokens form a group.</param>
/// <param name="experts">Number of experts, E.</param>
/// <param name="longest">Most tokens of a row.</param>
/// <param name="masksPadding">Whether padding stays out.</param>
internal sealed class TokenGroups(
    GraphBuilder graph, RowLayout layout, RoutingScope scope, int experts, int longest, bool masksPadding)
{
    /// <summary>Below every score.</summary>
    public const float Outside = -1e30f;

    /// <summary>What rounding leaves of a whole number of pairs; policies round to nine decimals.</summary>
    private const double Rounding = 5e-10;

    private readonly Value? _isTokenBL = masksPadding ? layout.IsToken : null;

    /// <summary>Scores [T, E] by group, [G, R, E], below all others where a token stays out.</summary>
    public Value Split(Value scoresTE)
    {
        if (masksPadding && layout.Tokens(graph) is { } tokens)
            scoresTE = graph.Where(graph.Greater(tokens, graph.Number(0f)), scoresTE, graph.Number(Outside));
        return scope switch
        {
            RoutingScope.Sequence => layout.Split(graph, scoresTE, experts),
            RoutingScope.TimeStep => graph.Transpose(layout.Split(graph, scoresTE, experts), 1, 0, 2),
            RoutingScope.Batch => graph.Unsqueeze(scoresTE, 0),
            _ => throw Refused($"within {nameof(RoutingScope)}.{scope} a token's experts depend on what was read before"),
        };
    }

    /// <summary>[G, R, E], or what has as many numbers, as [T, E].</summary>
    public Value Join(Value x)
    {
        if (scope == RoutingScope.TimeStep)
            x = graph.Transpose(graph.ReshapeTo(x, graph.Concat(0, layout.Length, graph.Vector(-1, experts))), 1, 0, 2);
        return graph.Reshape(x, -1, experts);
    }

    /// <summary>What the numbers of tokens of rows give, [G], or [1] where all have as many; of rows alone.</summary>
    /// <param name="of">What a number of tokens gives.</param>
    /// <exception cref="NotSupportedException">Groups are no rows, so that nobody knows how large they can be.</exception>
    public Value Counts(Func<int, int> of)
    {
        if (scope != RoutingScope.Sequence)
            throw Refused($"a capacity within {nameof(RoutingScope)}.{scope} is not known to the export");
        if (_isTokenBL is null && layout.Fixed is { } length)
            return graph.Vector(of(length));
        var table = graph.Integers([.. Enumerable.Range(0, longest + 1).Select(tokens => (long)of(tokens))], longest + 1);
        return graph.Gather(table, _isTokenBL is null ? layout.Length : TokensOfGroups());
    }

    /// <summary>The pairs of a group of T tokens, ⌊T·k⌋, [G]; or the tokens of each expert, ⌈T·k/E⌉.</summary>
    /// <param name="of">The same of a row's number of tokens.</param>
    /// <param name="expertsPerToken">k.</param>
    /// <param name="ofExperts">Whether the tokens of each expert are asked for.</param>
    public Value Counts(Func<int, int> of, double expertsPerToken, bool ofExperts)
    {
        if (scope == RoutingScope.Sequence)
            return Counts(of);
        var tokens = TokensOfGroups();
        var budget = graph.Multiply(graph.Cast(tokens, DataType.Double), graph.Double(expertsPerToken));
        // whole numbers are what conversion leaves
        return ofExperts
            ? graph.Smaller(Whole(graph.Divide(budget, graph.Double(experts)), 1 - Rounding), tokens)
            : graph.Smaller(Whole(budget, Rounding), graph.Multiply(tokens, graph.Whole(experts)));

        Value Whole(Value x, double before) => graph.Cast(graph.Add(x, graph.Double(before)), DataType.Int64);
    }

    /// <summary>[G], or [1]: tokens of each group.</summary>
    private Value TokensOfGroups()
    {
        var isToken = _isTokenBL is { } mask
            ? graph.Cast(mask, DataType.Int64)
            : graph.Expand(graph.Whole(1), graph.Concat(0, layout.Sequences, layout.Length));
        return scope switch
        {
            RoutingScope.Sequence => graph.Sum(isToken, axis: 1, keeps: false),
            RoutingScope.TimeStep => graph.Sum(isToken, axis: 0, keeps: false),
            _ => graph.Sum(graph.Reshape(isToken, 1, -1), axis: 1, keeps: false),
        };
    }

    private static NotSupportedException Refused(string reason) => Unsupported.Because(
        reason, $"Choose WithRouting(router with {{ {nameof(Router.Scope)} = {nameof(RoutingScope)}.{nameof(RoutingScope.Sequence)} }})");
}
