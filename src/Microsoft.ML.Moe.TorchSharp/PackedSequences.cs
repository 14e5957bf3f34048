using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>
/// A layout's row numbers on the device: between rows packed one after the other, [T, …], and rows padded to the longest sequence,
/// [A, S, …], with A sequences that have a token and S positions. Sequences without a token have no part in the padded form.
/// </summary>
internal sealed class PackedSequences
{
    private readonly torch.Device _device;
    private readonly SequenceLayout _layout;
    private readonly int[] _active;
    private readonly torch.Tensor? _rowOfPosition;
    private readonly torch.Tensor? _positionOfRow;
    private readonly torch.Tensor? _activeA;
    private readonly torch.Tensor? _tokenRows;

    public PackedSequences(TorchTape tape, SequenceLayout layout)
    {
        _device = tape.Device;
        _layout = layout;
        _active = [.. Enumerable.Range(0, layout.Sequences).Where(sequence => CountTokens(sequence) > 0)];
        foreach (var sequence in _active)
            Longest = Math.Max(Longest, Length(sequence));
        TokenCount = Enumerable.Range(0, layout.Tokens).Count(layout.IsToken);
        if (TokenCount < layout.Tokens)
            _tokenRows = tape.Keep(_device.Upload(Enumerable.Range(0, layout.Tokens).Where(layout.IsToken).ToArray()));
        if (_active.Length < layout.Sequences)
            _activeA = tape.Keep(_device.Upload(_active));
        if ((long)Count * Longest != layout.Tokens || _active.Any(sequence => Length(sequence) < Longest))
        {
            _rowOfPosition = tape.Keep(_device.Upload(RowOfPosition()));
            _positionOfRow = tape.Keep(_device.Upload(PositionOfRow()));
        }

        if ((long)Count * Longest != TokenCount)
            IsKeyAS = tape.Keep(_device.Upload(IsKey()).reshape(Count, Longest));
        SequenceOfToken = tape.Keep(_device.Upload(NumberOfSequence()));
        TokenShareB = tape.Keep(_device.Upload(TokenShare()));
    }

    /// <summary>A, the number of sequences that have a token.</summary>
    public int Count => _active.Length;

    /// <summary>S, the number of rows of the longest of them.</summary>
    public int Longest { get; }

    /// <summary>Rows that are tokens and not padding.</summary>
    public int TokenCount { get; }

    /// <summary>[A, S], whether a position is a token; null where all are.</summary>
    public torch.Tensor? IsKeyAS { get; }

    /// <summary>Sequence of each token.</summary>
    public torch.Tensor SequenceOfToken { get; }

    /// <summary>One over each sequence's number of tokens; 1 for none.</summary>
    public torch.Tensor TokenShareB { get; }

    /// <summary>Number of sequences, those without a token included.</summary>
    public int AllSequences => _layout.Sequences;

    /// <summary>The rows that are tokens.</summary>
    public torch.Tensor Tokens(torch.Tensor rows) => _tokenRows is null ? rows : rows.index_select(0, _tokenRows);

    /// <summary>[T, C] to [A, S, C]. What stands at padded positions is a row of the same sequence.</summary>
    public torch.Tensor Pad(torch.Tensor rowsTC)
    {
        var padded = _rowOfPosition is null ? rowsTC : rowsTC.index_select(0, _rowOfPosition);
        return padded.reshape(Count, Longest, rowsTC.shape[1]);
    }

    /// <summary>[A·S, C] to [T, C]; zeros for the rows of sequences without a token.</summary>
    public torch.Tensor Unpad(torch.Tensor positionsC)
    {
        if (_positionOfRow is null)
            return positionsC;
        if (_activeA is null)
            return positionsC.index_select(0, _positionOfRow);
        var zerosC = torch.zeros([1, positionsC.shape[1]], positionsC.dtype, _device);
        return torch.cat([positionsC, zerosC], 0).index_select(0, _positionOfRow);
    }

    /// <summary>[A, C] to [B, C]; zeros for sequences without a token.</summary>
    public torch.Tensor Spread(torch.Tensor sequencesAC) => _activeA is null
        ? sequencesAC
        : torch.zeros([AllSequences, sequencesAC.shape[1]], device: _device).index_copy(0, _activeA, sequencesAC);

    /// <summary>Zeros that depend on tensors, if only as far as autograd goes.</summary>
    public torch.Tensor Zeros(long rows, long columns, params ReadOnlySpan<torch.Tensor> sources)
    {
        var zeros = torch.zeros([rows, columns], device: _device);
        foreach (var source in sources)
            zeros = zeros.Plus(source.narrow(0, 0, 0).sum());
        return zeros;
    }

    private int Length(int sequence) => _layout.Offsets[sequence + 1] - _layout.Offsets[sequence];

    private int CountTokens(int sequence)
    {
        var count = 0;
        for (var row = _layout.Offsets[sequence]; row < _layout.Offsets[sequence + 1]; row++)
            count += _layout.IsToken(row) ? 1 : 0;
        return count;
    }

    private int[] RowOfPosition()
    {
        var rows = new int[checked(Count * Longest)];
        for (var a = 0; a < Count; a++)
        {
            for (var position = 0; position < Longest; position++)
                rows[a * Longest + position] = _layout.Offsets[_active[a]] + Math.Min(position, Length(_active[a]) - 1);
        }

        return rows;
    }

    private int[] PositionOfRow()
    {
        var positions = new int[_layout.Tokens];
        positions.AsSpan().Fill(Count * Longest);
        for (var a = 0; a < Count; a++)
        {
            for (var position = 0; position < Length(_active[a]); position++)
                positions[_layout.Offsets[_active[a]] + position] = a * Longest + position;
        }

        return positions;
    }

    private bool[] IsKey()
    {
        var isKey = new bool[checked(Count * Longest)];
        for (var a = 0; a < Count; a++)
        {
            for (var position = 0; position < Length(_active[a]); position++)
                isKey[a * Longest + position] = _layout.IsToken(_layout.Offsets[_active[a]] + position);
        }

        return isKey;
    }

    private int[] NumberOfSequence()
    {
        var sequences = new List<int>(TokenCount);
        for (var sequence = 0; sequence < AllSequences; sequence++)
            sequences.AddRange(Enumerable.Repeat(sequence, CountTokens(sequence)));
        return [.. sequences];
    }

    private float[] TokenShare() =>
        [.. Enumerable.Range(0, AllSequences).Select(sequence => 1f / Math.Max(1, CountTokens(sequence)))];
}
