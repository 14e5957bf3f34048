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
    private readonly torch.Tensor _rowsOfE;
    private readonly torch.Tensor? _isBroadcastT;
    private int[]? _offsets;
    private torch.Tensor? _isBroadcastP;
    private torch.Tensor? _entryOfPair;

    /// <summary>Copies a plan's pairs to the device, in one piece.</summary>
    public ExpertPairs(TorchTape tape, RoutingPlan plan)
    {
        (_tape, _tokens, Experts, Count) = (tape, plan.Tokens, plan.Experts, plan.Pairs);
        _offsets = plan.ExpertOffsets;
        var expertOfPair = new int[Count];
        var rows = new int[Experts];
        for (var expert = 0; expert < Experts; expert++)
        {
            expertOfPair.AsSpan(First(expert), Rows(expert)).Fill(expert);
            rows[expert] = Rows(expert);
        }

        int[] numbers = [.. plan.PairTokens, .. expertOfPair, .. rows];
        var all = tape.Device.Upload(numbers);
        TokenOfPair = tape.Keep(all.narrow(0, 0, Count));
        ExpertOfPair = tape.Keep(all.narrow(0, Count, Count));
        _rowsOfE = tape.Keep(all.narrow(0, 2L * Count, Experts));
        if (plan.Broadcast is { } broadcast)
            _isBroadcastT = tape.Keep(tape.Device.Upload(broadcast));
    }

    /// <summary>Puts what was selected on the device in order, there.</summary>
    public ExpertPairs(TorchTape tape, Selection selection)
    {
        var isSelectedTE = selection.IsSelectedTE;
        (_tape, _tokens, Experts) = (tape, (int)isSelectedTE.shape[0], (int)isSelectedTE.shape[1]);
        _rowsOfE = tape.Keep(isSelectedTE.sum(dim: 0, type: torch.ScalarType.Int64));
        Count = selection.Pairs ?? Offsets[^1];

        // nonzero() would have to tell the host how many there are. The n-th selected entry goes to place n, all others to place 0.
        var entries = (long)_tokens * Experts;
        var isSelectedN = isSelectedTE.transpose(0, 1).reshape(entries);
        var placeN = isSelectedN.cumsum(0, torch.ScalarType.Int64).mul_(isSelectedN);
        var entryN = torch.arange(Scalars.Of(entries), torch.ScalarType.Int64, tape.Device);
        var entryOfPair = torch.zeros([Count + 1], torch.ScalarType.Int64, tape.Device).scatter_(0, placeN, entryN).narrow(0, 1, Count);
        TokenOfPair = tape.Keep(entryOfPair.remainder(Scalars.Of((long)_tokens)));
        ExpertOfPair = tape.Keep(entryOfPair.div(Scalars.Of((long)_tokens), torch.RoundingMode.floor));
        _isBroadcastT = selection.IsBroadcastT is { } isBroadcastT ? tape.Keep(isBroadcastT) : null;
    }

    /// <summary>E.</summary>
    public int Experts { get; }

    /// <summary>P.</summary>
    public int Count { get; }

    /// <summary>[P], token of each pair.</summary>
    public torch.Tensor TokenOfPair { get; }

    /// <summary>[P], expert of each pair.</summary>
    public torch.Tensor ExpertOfPair { get; }

    /// <summary>[P], place of each pair's logit among the T·E.</summary>
    public torch.Tensor EntryOfPair =>
        _entryOfPair ??= _tape.Keep(TokenOfPair.mul(Scalars.Of((long)Experts)).add(ExpertOfPair));

    /// <summary>[P], whether the pair's token was broadcast; null where none can be.</summary>
    public torch.Tensor? IsBroadcastP => _isBroadcastT is null
        ? null
        : _isBroadcastP ??= _tape.Keep(_isBroadcastT.index_select(0, TokenOfPair));

    /// <summary>[E], number of the first pair behind each expert's.</summary>
    public torch.Tensor EndOfE => _rowsOfE.cumsum(0, torch.ScalarType.Int64);

    /// <summary>First pair of an expert.</summary>
    public int First(int expert) => Offsets[expert];

    /// <summary>Number of pairs of an expert.</summary>
    public int Rows(int expert) => Offsets[expert + 1] - Offsets[expert];

    /// <summary>Number of pairs of each expert.</summary>
    public int[] Rows() => [.. Enumerable.Range(0, Experts).Select(Rows)];

    /// <summary>[P], number of each pair among those of its expert, from 0.</summary>
    public torch.Tensor NumberWithinExpert()
    {
        var firstOfE = EndOfE.sub(_rowsOfE);
        var numberP = torch.arange(Scalars.Of((long)Count), torch.ScalarType.Int64, _tape.Device);
        return numberP.sub(firstOfE.index_select(0, ExpertOfPair));
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
        List<torch.Tensor> parts = [_rowsOfE, TokenOfPair];
        if (_isBroadcastT is not null)
            parts.Add(_isBroadcastT.to_type(torch.ScalarType.Int64));
        var numbers = DeviceMemory.ToInts(ConcatOperation.Join(parts, 0));
        _offsets ??= OffsetsOf(numbers.AsSpan(0, Experts));
        var flags = Array.ConvertAll(numbers[(Experts + Count)..], flag => flag != 0);
        return new RoutingPlan(
            _tokens, _offsets, numbers[Experts..(Experts + Count)], weights, flags.Contains(true) ? flags : null);
    }

    private int[] Offsets => _offsets ??= OffsetsOf(DeviceMemory.ToInts(_rowsOfE));

    private static int[] OffsetsOf(ReadOnlySpan<int> rows)
    {
        var offsets = new int[rows.Length + 1];
        for (var expert = 0; expert < rows.Length; expert++)
            offsets[expert + 1] = offsets[expert] + rows[expert];
        return offsets;
    }
}
