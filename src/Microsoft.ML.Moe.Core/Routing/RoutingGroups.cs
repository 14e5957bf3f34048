using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Routing;

/// <summary>A packed batch split into the groups of tokens that compete with each other; groups without tokens are left out.</summary>
internal ref struct RoutingGroups
{
    private readonly bool _maskPadding;
    private readonly Span<int> _ends;
    private readonly Span<int> _tokens;
    private int _count;

    private RoutingGroups(int tokens, bool maskPadding, ref RoutingScratch scratch)
    {
        _maskPadding = maskPadding;
        // no group without a token
        _ends = scratch.Take<int>(tokens);
        _tokens = scratch.Take<int>(tokens);
    }

    /// <summary>Number of groups.</summary>
    public int Count { get; private set; }

    /// <summary>The row numbers of a group, ascending.</summary>
    public ReadOnlySpan<int> this[int group] => _tokens[(group == 0 ? 0 : _ends[group - 1]).._ends[group]];

    /// <summary>Bytes that the groups of so many tokens take.</summary>
    public static int ScratchBytes(int tokens) => 2 * RoutingScratch.BytesOf<int>(tokens);

    /// <summary>Checks that a scope is one of groups.</summary>
    public static RoutingScope CheckScope(RoutingScope scope) => scope is RoutingScope.Sequence or RoutingScope.TimeStep or RoutingScope.Batch
        ? scope
        : throw new ArgumentOutOfRangeException(nameof(scope), scope, "Not a scope of whole groups.");

    /// <summary>Splits a batch.</summary>
    /// <param name="layout">Sequences within T.</param>
    /// <param name="scope">Who competes.</param>
    /// <param name="maskPadding">Whether padding stays out.</param>
    /// <param name="scratch">Lends <see cref="ScratchBytes"/>.</param>
    public static RoutingGroups Of(SequenceLayout layout, RoutingScope scope, bool maskPadding, ref RoutingScratch scratch)
    {
        var groups = new RoutingGroups(layout.Tokens, maskPadding, ref scratch);
        switch (scope)
        {
            case RoutingScope.Sequence:
                for (var sequence = 0; sequence < layout.Sequences; sequence++)
                {
                    for (var token = layout.Offsets[sequence]; token < layout.Offsets[sequence + 1]; token++)
                        groups.Add(token, layout);
                    groups.EndGroup();
                }

                break;
            case RoutingScope.TimeStep:
                for (var position = 0; position < layout.MaxLength; position++)
                {
                    for (var sequence = 0; sequence < layout.Sequences; sequence++)
                        if (position < layout.Offsets[sequence + 1] - layout.Offsets[sequence])
                            groups.Add(layout.Offsets[sequence] + position, layout);
                    groups.EndGroup();
                }

                break;
            case RoutingScope.Batch:
                for (var token = 0; token < layout.Tokens; token++)
                    groups.Add(token, layout);
                groups.EndGroup();
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(scope), scope, "Not a scope.");
        }

        return groups;
    }

    private void Add(int token, SequenceLayout layout)
    {
        if (!_maskPadding || layout.IsToken(token))
            _tokens[_count++] = token;
    }

    private void EndGroup()
    {
        if (_count > (Count == 0 ? 0 : _ends[Count - 1]))
            _ends[Count++] = _count;
    }
}
