using Microsoft.ML.Moe.Routing;
using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>
/// A plan's pairs on the device, for all operations of a layer: by expert, and those of an expert by token. How many each expert has is
/// asked of the device at most once, and only where a way to run the experts has to know.
/// </summary>
internal sealed class ExpertPairs
{
    private readonly TorchTape _tape;
    private readonly int _tokens;
    private readonly torch.Tensor? _isBroadcastT;
    private int[]? _offsets;
    private torch.Tensor? _isBroadcastP;
    private torch.Tensor? _entryOfPair;
    private torch.Tensor? _endOfE;

    /// <summary>Copies a plan's pairs to the device, in one piece.</summary>
    public ExpertPairs(TorchTape tape, RoutingPlan plan)
    {
        (_tape, _tokens, Experts, Count) = (tape, plan.Tokens, plan.Experts, plan.Pairs);
        _offsets = plan.ExpertOffsets;
        var numbers = new int[checked(4 * Count)];
        var tokenOfPair = plan.PairTokens;
        for (var expert = 0; expert < Experts; expert++)
        {
            for (var pair = First(expert); pair < First(expert + 1); pair++)
            {
                var token = tokenOfPair[pair];
                numbers[pair] = checked(expert * _tokens + token);
                numbers[Count + pair] = token;
                numbers[2 * Count + pair] = expert;
                numbers[3 * Count + pair] = token * Experts + expert;
            }
        }

        var all = tape.Device.Upload(numbers);
        SlotOfPair = Part(0);
        TokenOfPair = Part(1);
        ExpertOfPair = Part(2);
        _entryOfPair = Part(3);
        if (plan.HasBroadcast)
            _isBroadcastT = tape.Keep(tape.Device.Upload(plan.Broadcast.ToArray()));

        torch.Tensor Part(int number) => tape.Keep(all.narrow(0, (long)number * Count, Count));
    }

    /// <summary>Puts what was selected on the device in order, there.</summary>
    public ExpertPairs(TorchTape tape, Selection selection)
    {
        (_tape, _tokens, Experts) = (tape, selection.Tokens, selection.Experts);
        Count = selection.Pairs ?? CountOf(selection.IsSelectedTE);
        SlotOfPair = tape.Keep(selection.SlotOfPair is { } slotOfPair
            ? slotOfPair.sort(0, descending: false, stable: false).Values
            : Places(selection.IsSelectedTE.transpose(0, 1).reshape((long)_tokens * Experts)));
        TokenOfPair = tape.Keep(SlotOfPair.remainder(Scalars.Of((long)_tokens)));
        ExpertOfPair = tape.Keep(SlotOfPair.div(Scalars.Of((long)_tokens), torch.RoundingMode.floor));
        _isBroadcastT = selection.IsBroadcastT is { } isBroadcastT ? tape.Keep(isBroadcastT) : null;
    }

    /// <summary>E.</summary>
    public int Experts { get; }

    /// <summary>P.</summary>
    public int Count { get; }

    /// <summary>[P] ascending, place of each pair in a matrix [E, T].</summary>
    public torch.Tensor SlotOfPair { get; }

    /// <summary>[P], token of each pair.</summary>
    public torch.Tensor TokenOfPair { get; }

    /// <summary>[P] ascending, expert of each pair.</summary>
    public torch.Tensor ExpertOfPair { get; }

    /// <summary>[P], place of each pair's logit among the T·E.</summary>
    public torch.Tensor EntryOfPair =>
        _entryOfPair ??= _tape.Keep(TokenOfPair.mul(Scalars.Of((long)Experts)).Plus(ExpertOfPair));

    /// <summary>[P], whether the pair's token was broadcast; null where none can be.</summary>
    public torch.Tensor? IsBroadcastP => _isBroadcastT is null
        ? null
        : _isBroadcastP ??= _tape.Keep(_isBroadcastT.index_select(0, TokenOfPair));

    /// <summary>[E], number of the first pair behind each expert's.</summary>
    public torch.Tensor EndOfE => _endOfE ??= _tape.Keep(torch.searchsorted(
        ExpertOfPair, Scalars.Range(Experts, _tape.Device), out_int32: false, right: true));

    /// <summary>Whether the host knows how many pairs each expert has, without asking the device.</summary>
    public bool AreRowsKnown => _offsets is not null;

    /// <summary>First pair of an expert.</summary>
    public int First(int expert) => Offsets[expert];

    /// <summary>Number of pairs of an expert.</summary>
    public int Rows(int expert) => Offsets[expert + 1] - Offsets[expert];

    /// <summary>Number of pairs of each expert.</summary>
    public int[] Rows() => [.. Enumerable.Range(0, Experts).Select(Rows)];

    /// <summary>[P], number of each pair among those of its expert, from 0.</summary>
    public torch.Tensor NumberWithinExpert()
    {
        var firstOfPair = torch.searchsorted(ExpertOfPair, ExpertOfPair, out_int32: false, right: false);
        return Scalars.Range(Count, _tape.Device).sub(firstOfPair);
    }

    /// <summary>The plan in the host's memory.</summary>
    /// <exception cref="ObjectDisposedException">The tape is disposed, and the pairs with it.</exception>
    public RoutingPlan ToPlan(CombineRule weights)
    {
        if (_tape.IsDisposed)
        {
            throw new ObjectDisposedException(
                nameof(RoutingPlan), "The plan's pairs were on the device and are gone with their tape; ask for them before it is disposed.");
        }

        using var scope = torch.NewDisposeScope();
        List<torch.Tensor> parts = [EndOfE, TokenOfPair];
        if (_isBroadcastT is not null)
            parts.Add(_isBroadcastT.to_type(torch.ScalarType.Int64));
        var numbers = DeviceMemory.ToInts(torch.cat(parts, 0));
        _offsets ??= OffsetsOf(numbers.AsSpan(0, Experts));
        var flags = Array.ConvertAll(numbers[(Experts + Count)..], flag => flag != 0);
        return new RoutingPlan(
            _tokens, _offsets, numbers[Experts..(Experts + Count)], weights, flags.Contains(true) ? flags : null);
    }

    private int[] Offsets => _offsets ??= OffsetsOf(DeviceMemory.ToInts(EndOfE));

    private static int[] OffsetsOf(ReadOnlySpan<int> ends) => [0, .. ends];

    /// <summary>How many flags are set; the host waits for the answer, which tells how many each expert has as well.</summary>
    private int CountOf(torch.Tensor isSelectedTE)
    {
        _endOfE = _tape.Keep(isSelectedTE.sum(dim: 0, type: torch.ScalarType.Int64).cumsum(0, torch.ScalarType.Int64));
        return Offsets[^1];
    }

    // nonzero() would have to tell the host how many there are. The n-th flag that is set goes to place n, all others to place 0.
    private torch.Tensor Places(torch.Tensor flagsN)
    {
        var placeN = flagsN.cumsum(0, torch.ScalarType.Int64).mul_(flagsN);
        var numberN = Scalars.Range(flagsN.NumberOfElements, _tape.Device);
        return torch.zeros([Count + 1], torch.ScalarType.Int64, _tape.Device).scatter_(0, placeN, numberN).narrow(0, 1, Count);
    }
}
