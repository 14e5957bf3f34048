using Microsoft.ML.Moe.Routing;
using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>
/// The groups of tokens that compete with each other (<see cref="RoutingGroups"/>) on the device: between rows packed one after the
/// other, [T, E], and groups filled to the longest, [G, L, E].
/// </summary>
internal sealed class TokenGroups
{
    private readonly int _tokens;

    // [G·L] row of each place, T where a group has ended; null where place and row are the same.
    private readonly torch.Tensor? _rowOfPlace;

    public TokenGroups(TorchTape tape, SequenceLayout layout, RoutingScope scope, bool maskPadding)
    {
        var scratch = new RoutingScratch(new byte[RoutingGroups.ScratchBytes(layout.Tokens)]);
        var groups = RoutingGroups.Of(layout, scope, maskPadding, ref scratch);
        _tokens = layout.Tokens;
        Sizes = new int[groups.Count];
        for (var group = 0; group < groups.Count; group++)
            Sizes[group] = groups[group].Length;
        Longest = Sizes.DefaultIfEmpty(0).Max();
        var rows = new int[checked(Count * Longest)];
        rows.AsSpan().Fill(_tokens);
        for (var group = 0; group < groups.Count; group++)
            groups[group].CopyTo(rows.AsSpan(group * Longest));
        if (!rows.SequenceEqual(Enumerable.Range(0, _tokens)))
            _rowOfPlace = tape.Keep(tape.Device.Upload(rows));
    }

    /// <summary>G.</summary>
    public int Count => Sizes.Length;

    /// <summary>L, tokens of the largest group.</summary>
    public int Longest { get; }

    /// <summary>Tokens of each group.</summary>
    public int[] Sizes { get; }

    /// <summary>[T, E] to [G, L, E]; −∞ behind a group's end.</summary>
    public torch.Tensor Gather(torch.Tensor scoresTE)
    {
        var scores = scoresTE;
        if (_rowOfPlace is not null)
        {
            var none = torch.full([1, scores.shape[1]], Scalars.Of(double.NegativeInfinity), scores.dtype, scores.device);
            scores = torch.cat([scores, none], 0).index_select(0, _rowOfPlace);
        }

        return scores.reshape(Count, Longest, scores.shape[1]);
    }

    /// <summary>[G, L, E] to [T, E]; false for tokens of no group.</summary>
    public torch.Tensor Spread(torch.Tensor flagsGLE)
    {
        var experts = flagsGLE.shape[2];
        var flagsE = flagsGLE.reshape((long)Count * Longest, experts);
        return _rowOfPlace is null
            ? flagsE
            : torch.zeros([_tokens + 1, experts], flagsE.dtype, flagsE.device).index_copy_(0, _rowOfPlace, flagsE).narrow(0, 0, _tokens);
    }
}
