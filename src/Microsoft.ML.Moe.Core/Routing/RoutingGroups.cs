using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Routing;

/// <summary>A packed batch split into the groups of tokens that compete with each other; groups without tokens are left out.</summary>
internal sealed class RoutingGroups
{
    private readonly List<int> _ends = [];
    private readonly int[] _tokens;
    private int _count;

    private RoutingGroups(int tokens) => _tokens = new int[tokens];

    /// <summary>Number of groups.</summary>
    public int Count => _ends.Count;

    /// <summary>The row numbers of a group, ascending.</summary>
    public ReadOnlySpan<int> this[int group] => _tokens.AsSpan((group == 0 ? 0 : _ends[group - 1]).._ends[group]);

    /// <summary>Splits a batch.</summary>
    /// <param name="layout">Sequences within T.</param>
    /// <param name="scope">Who competes.</param>
    /// <param name="maskPadding">Whether padding stays out.</param>
    public static RoutingGroups Of(SequenceLayout layout, RoutingScope scope, bool maskPadding)
    {
        var groups = new RoutingGroups(layout.Tokens);
        switch (scope)
        {
            case RoutingScope.Sequence:
                for (var sequence = 0; sequence < layout.Sequences; sequence++)
                {
                    for (var token = layout.Offsets[sequence]; token < layout.Offsets[sequence + 1]; token++)
                        Add(token);
                    groups.EndGroup();
                }

                break;
            case RoutingScope.TimeStep:
                for (var position = 0; position < layout.MaxLength; position++)
                {
                    for (var sequence = 0; sequence < layout.Sequences; sequence++)
                        if (position < layout.Offsets[sequence + 1] - layout.Offsets[sequence])
                            Add(layout.Offsets[sequence] + position);
                    groups.EndGroup();
                }

                break;
            case RoutingScope.Batch:
                for (var token = 0; token < layout.Tokens; token++)
                    Add(token);
                groups.EndGroup();
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(scope), scope, "Not a scope.");
        }

        return groups;

        void Add(int token)
        {
            if (!maskPadding || layout.IsToken(token))
                groups._tokens[groups._count++] = token;
        }
    }

    private void EndGroup()
    {
        if (_count > (_ends.Count == 0 ? 0 : _ends[^1]))
            _ends.Add(_count);
    }
}
