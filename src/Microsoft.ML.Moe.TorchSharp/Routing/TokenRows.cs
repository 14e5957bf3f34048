using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>What routing asks of a layout's rows, on the device.</summary>
internal sealed class TokenRows
{
    private readonly TorchTape _tape;
    private readonly SequenceLayout _layout;
    private torch.Tensor? _firstRowOfT;
    private torch.Tensor? _numbers;

    public TokenRows(TorchTape tape, SequenceLayout layout)
    {
        (_tape, _layout) = (tape, layout);
        TokenCount = layout.Mask.IsEmpty ? layout.Tokens : layout.Mask.Count(true);
        if (TokenCount < layout.Tokens)
            IsTokenT = tape.Keep(tape.Device.Upload(layout.Mask.ToArray()));
    }

    /// <summary>Rows that are tokens and not padding.</summary>
    public int TokenCount { get; }

    /// <summary>[T], whether a row is a token and not padding; null where all are.</summary>
    public torch.Tensor? IsTokenT { get; }

    /// <summary>Numbers of the rows that are tokens.</summary>
    public torch.Tensor Numbers => _numbers ??= _tape.Keep(TokenCount == _layout.Tokens
        ? Scalars.Range(TokenCount, _tape.Device)
        : _tape.Device.Upload(Enumerable.Range(0, _layout.Tokens).Where(_layout.IsToken).ToArray()));

    /// <summary>[T], the number of each flag that is set among those of its sequence, from 1.</summary>
    public torch.Tensor NumberWithinSequence(torch.Tensor flagsT)
    {
        _firstRowOfT ??= _tape.Keep(_tape.Device.Upload(FirstRows()));
        var numberT = flagsT.cumsum(0, torch.ScalarType.Int64);
        var beforeT = numberT.sub(flagsT.to_type(torch.ScalarType.Int64));
        return numberT.sub(beforeT.index_select(0, _firstRowOfT));
    }

    private int[] FirstRows()
    {
        var rows = new int[_layout.Tokens];
        for (var sequence = 0; sequence < _layout.Sequences; sequence++)
            rows.AsSpan(_layout.Offsets[sequence].._layout.Offsets[sequence + 1]).Fill(_layout.Offsets[sequence]);
        return rows;
    }
}
