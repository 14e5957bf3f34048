using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// States of all tokens of rows after the first blocks of an encoder, in bfloat16: training of the blocks that follow begins here, and the
/// first ones run once.
/// </summary>
/// <param name="blocks">Number of blocks.</param>
/// <param name="width">Width of a token's state, D.</param>
/// <param name="rowCount">Number of rows.</param>
internal sealed class KeptStates(int blocks, int width, int rowCount)
{
    private readonly ushort[][] _rows = new ushort[rowCount][];
    private float[] _states = [];

    /// <summary>Blocks after which the states are.</summary>
    public int Blocks => blocks;

    /// <summary>Bits of a row's states.</summary>
    public ushort[] BitsOf(int row) => _rows[row];

    /// <summary>Keeps the states of a row.</summary>
    public void Set(int row, ushort[] bits) => _rows[row] = bits;

    /// <summary>Keeps the states of rows.</summary>
    /// <param name="rows">Numbers of the rows.</param>
    /// <param name="statesTD">[T, D].</param>
    /// <param name="layout">Their sequences.</param>
    public void Set(IReadOnlyList<int> rows, Tensor statesTD, SequenceLayout layout)
    {
        var states = Room(statesTD.Length);
        statesTD.CopyTo(states);
        for (var sequence = 0; sequence < layout.Sequences; sequence += layout.SequencesOfRow)
        {
            var row = states[(layout.Offsets[sequence] * width)..(layout.Offsets[sequence + layout.SequencesOfRow] * width)];
            var bits = new ushort[row.Length];
            BFloat16.Round(row, bits);
            _rows[rows[sequence / layout.SequencesOfRow]] = bits;
        }
    }

    /// <summary>States of some rows, as a tensor.</summary>
    /// <param name="tape">Receives it.</param>
    /// <param name="rows">Numbers of the rows, in the order in which they were packed.</param>
    /// <returns>[T, D].</returns>
    public Tensor Of(Tape tape, ReadOnlySpan<int> rows)
    {
        var length = 0;
        foreach (var row in rows)
            length += _rows[row].Length;
        var states = Room(length);
        var start = 0;
        foreach (var row in rows)
        {
            BFloat16.Widen(_rows[row], states.Slice(start, _rows[row].Length));
            start += _rows[row].Length;
        }

        return tape.Constant(states, length / width, width);
    }

    private Span<float> Room(int length)
    {
        if (_states.Length < length)
            _states = new float[length];
        return _states.AsSpan(0, length);
    }
}
