using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Routing;

/// <summary>Splits a packed batch into the groups of tokens that compete with each other.</summary>
internal static class RoutingGroups
{
    /// <summary>The groups, each as ascending row numbers.</summary>
    /// <param name="layout">Sequences within T.</param>
    /// <param name="scope">Who competes.</param>
    /// <param name="maskPadding">Whether padding stays out.</param>
    public static IEnumerable<int[]> Of(SequenceLayout layout, RoutingScope scope, bool maskPadding)
    {
        int Start(int sequence) => layout.Offsets[sequence];
        int Length(int sequence) => layout.Offsets[sequence + 1] - layout.Offsets[sequence];
        bool Competes(int token) => !maskPadding || layout.IsToken(token);

        var sequences = Enumerable.Range(0, layout.Sequences);
        var groups = scope switch
        {
            RoutingScope.Sequence => sequences.Select(s => Enumerable.Range(Start(s), Length(s))),
            RoutingScope.TimeStep => Enumerable.Range(0, layout.MaxLength)
                .Select(position => sequences.Where(s => position < Length(s)).Select(s => Start(s) + position)),
            RoutingScope.Batch => [Enumerable.Range(0, layout.Tokens)],
            _ => throw new ArgumentOutOfRangeException(nameof(scope), scope, "Not a scope."),
        };
        return groups.Select(g => g.Where(Competes).ToArray()).Where(g => g.Length > 0);
    }
}
