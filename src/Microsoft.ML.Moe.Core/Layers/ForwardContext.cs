using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>What the layers of one forward pass share.</summary>
/// <param name="tape">Operations.</param>
/// <param name="layout">Sequences within T.</param>
/// <param name="observer">Is shown what the MoE layers route where; null for none.</param>
/// <param name="policies">Takes the place of the layers' own policies; null leaves them.</param>
/// <param name="cache">What the layers have seen of the sequences before; null where these begin.</param>
internal readonly struct ForwardContext(
    Tape tape, SequenceLayout layout, IRoutingObserver? observer = null, PolicySelector? policies = null, DecodingCache? cache = null)
{
    /// <summary>Operations.</summary>
    public Tape Tape { get; } = tape;

    /// <summary>Sequences within T.</summary>
    public SequenceLayout Layout { get; } = layout;

    /// <summary>Is shown what the MoE layers route where; null for none.</summary>
    public IRoutingObserver? Observer { get; } = observer;

    /// <summary>What the layers have seen of the sequences before, and keep of these tokens; null where there is nothing to keep.</summary>
    public DecodingCache? Cache { get; } = cache;

    /// <summary>Tokens of a sequence, those that were seen before counted.</summary>
    /// <param name="row">Number of the sequence.</param>
    public int LengthOf(int row) => Layout.Offsets[row + 1] - Layout.Offsets[row] + (Cache is null ? 0 : Cache.Lengths[row]);

    /// <summary>Position of each token within its sequence, the tokens that were seen before counted.</summary>
    public int[] Positions()
    {
        var positions = new int[Layout.Tokens];
        for (var row = 0; row < Layout.Sequences; row++)
        {
            var seen = Cache is null ? 0 : Cache.Lengths[row];
            for (var token = Layout.Offsets[row]; token < Layout.Offsets[row + 1]; token++)
                positions[token] = seen + token - Layout.Offsets[row];
        }

        return positions;
    }

    /// <summary>Tokens of the longest sequence, those that were seen before counted.</summary>
    public int LongestSoFar()
    {
        if (Cache is null)
            return Layout.MaxLength;
        var longest = 0;
        for (var row = 0; row < Layout.Sequences; row++)
            longest = Math.Max(longest, Cache.Lengths[row] + Layout.Offsets[row + 1] - Layout.Offsets[row]);
        return longest;
    }

    /// <summary>This pass over other tokens: those of a decoder.</summary>
    /// <param name="layout">Sequences within them.</param>
    /// <param name="observer">Is shown what their MoE layers route where.</param>
    public ForwardContext Over(SequenceLayout layout, IRoutingObserver? observer) => new(Tape, layout, observer, policies, Cache);

    /// <summary>The policy of a block's MoE layer in this pass.</summary>
    /// <param name="block">Number of the block, from 0.</param>
    /// <param name="own">The layer's own.</param>
    public RoutingPolicy PolicyOf(int block, RoutingPolicy own) => policies is null ? own : policies(block, own);

    /// <inheritdoc cref="Tape.AuxiliaryLosses"/>
    public List<Tensor> AuxiliaryLosses => Tape.AuxiliaryLosses;
}
