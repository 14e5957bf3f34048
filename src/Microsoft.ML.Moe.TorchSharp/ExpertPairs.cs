using Microsoft.ML.Moe.Routing;
using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>
/// A plan's pairs on the device, copied there in one piece for all operations of a layer. Pairs stand in the order of the experts; in
/// the padded form every expert has S slots, S being the most pairs that one has.
/// </summary>
internal sealed class ExpertPairs
{
    /// <summary>
    /// Largest number of slots, over the number of pairs, up to which the padded form is taken: few launches for all experts are
    /// worth some wasted multiplications.
    /// </summary>
    private const float LargestPadding = 1.5f;

    private readonly RoutingPlan _plan;

    public ExpertPairs(TorchTape tape, RoutingPlan plan)
    {
        _plan = plan;
        for (var expert = 0; expert < plan.Experts; expert++)
            Largest = Math.Max(Largest, Rows(expert));
        var slots = (long)plan.Experts * Largest;
        IsPadded = slots <= LargestPadding * Count;

        int[] numbers =
        [
            .. plan.PairTokens,
            .. ForPairs((expert, pair) => plan.PairTokens[pair] * plan.Experts + expert),
            .. IsPadded ? ForPairs((expert, pair) => expert * Largest + pair - First(expert)) : [],
            .. IsPadded ? TokenOfEachSlot() : [],
        ];
        var all = tape.Device.Upload(numbers);
        TokenOfPair = tape.Keep(all.narrow(0, 0, Count));
        EntryOfPair = tape.Keep(all.narrow(0, Count, Count));
        if (IsPadded)
        {
            SlotOfPair = tape.Keep(all.narrow(0, 2L * Count, Count));
            TokenOfSlot = tape.Keep(all.narrow(0, 3L * Count, slots));
        }

        if (plan.HasBroadcast)
            IsBroadcastP = tape.Keep(tape.Device.Upload(Array.ConvertAll(plan.PairTokens.ToArray(), plan.IsBroadcast)));
    }

    /// <summary>P.</summary>
    public int Count => _plan.Pairs;

    /// <summary>S, the most pairs that an expert has.</summary>
    public int Largest { get; }

    /// <summary>Whether the padded form is to be used.</summary>
    public bool IsPadded { get; }

    /// <summary>[P], token of each pair.</summary>
    public torch.Tensor TokenOfPair { get; }

    /// <summary>[P], place of each pair's logit among the T·E.</summary>
    public torch.Tensor EntryOfPair { get; }

    /// <summary>[P], whether the pair's token was broadcast; null where none was.</summary>
    public torch.Tensor? IsBroadcastP { get; }

    /// <summary>[P], slot of each pair; null unless padded.</summary>
    public torch.Tensor? SlotOfPair { get; }

    /// <summary>[E·S], token of each slot, some token for the slots that are padding; null unless padded.</summary>
    public torch.Tensor? TokenOfSlot { get; }

    /// <summary>First pair of an expert.</summary>
    public int First(int expert) => _plan.ExpertOffsets[expert];

    /// <summary>Number of pairs of an expert.</summary>
    public int Rows(int expert) => _plan.ExpertOffsets[expert + 1] - _plan.ExpertOffsets[expert];

    private int[] ForPairs(Func<int, int, int> valueOfExpertAndPair)
    {
        var values = new int[Count];
        for (var expert = 0; expert < _plan.Experts; expert++)
        {
            for (var pair = First(expert); pair < First(expert) + Rows(expert); pair++)
                values[pair] = valueOfExpertAndPair(expert, pair);
        }

        return values;
    }

    private int[] TokenOfEachSlot()
    {
        var tokens = new int[_plan.Experts * Largest];
        for (var expert = 0; expert < _plan.Experts; expert++)
        {
            for (var i = 0; i < Largest; i++)
                tokens[expert * Largest + i] = i < Rows(expert) ? _plan.PairTokens[First(expert) + i] : _plan.PairTokens[0];
        }

        return tokens;
    }
}
