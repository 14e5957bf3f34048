using System.Numerics;

namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>Ranks and results of the merges of byte-pair encoding, by the pair of ids. Safe to read from several threads.</summary>
internal sealed class PairTable
{
    private const long Free = -1;
    private readonly long[] _pairs;
    private readonly long[] _merges;
    private readonly int _mask;

    /// <summary>Creates a table for a number of pairs.</summary>
    public PairTable(int pairs)
    {
        var size = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, 2 * pairs));
        _pairs = new long[size];
        _merges = new long[size];
        _mask = size - 1;
        Array.Fill(_pairs, Free);
    }

    /// <summary>Adds a pair, or replaces it.</summary>
    public void Set(int first, int second, int rank, int result)
    {
        var pair = (long)first << 32 | (uint)second;
        var slot = Slot(pair);
        while (_pairs[slot] != Free && _pairs[slot] != pair)
            slot = (slot + 1) & _mask;
        _pairs[slot] = pair;
        _merges[slot] = (long)rank << 32 | (uint)result;
    }

    /// <summary>Looks a pair up; its rank is the smaller the earlier it is merged.</summary>
    public bool TryGet(int first, int second, out int rank, out int result)
    {
        var pair = (long)first << 32 | (uint)second;
        for (var slot = Slot(pair); _pairs[slot] != Free; slot = (slot + 1) & _mask)
        {
            if (_pairs[slot] != pair)
                continue;
            (rank, result) = ((int)(_merges[slot] >> 32), (int)_merges[slot]);
            return true;
        }

        (rank, result) = (int.MaxValue, -1);
        return false;
    }

    private int Slot(long pair) => (int)((ulong)pair * 0x9E3779B97F4A7C15 >> 32) & _mask;
}
