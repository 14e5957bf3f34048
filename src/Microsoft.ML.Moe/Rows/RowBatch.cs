using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Rows;

/// <summary>
/// Rows that were read from a table one after the other, and are encoded at once by all of an engine's threads: tokenising takes time, and
/// decoding images much more. Of bounded size, so that memory is, whatever is read.
/// </summary>
/// <typeparam name="TRow">A row as a model reads it.</typeparam>
/// <param name="engine">Its threads encode.</param>
/// <param name="rows">Most rows, at most <see cref="RowBatch.MostRows"/>.</param>
internal sealed class RowBatch<TRow>(Engine engine, int rows = RowBatch.MostRows)
{
    private readonly Func<TRow>[] _read = new Func<TRow>[rows];
    private readonly TRow[] _encoded = new TRow[rows];
    private readonly BadRowException?[] _bad = new BadRowException?[rows];
    private long _bytes;

    /// <summary>Number of rows.</summary>
    public int Count { get; private set; }

    /// <summary>Whether there is no room for one more; one row always has room.</summary>
    public bool IsFull => Count == rows || _bytes >= RowBatch.MostBytes;

    /// <summary>Adds a row.</summary>
    /// <param name="encode">Encodes what was read of it.</param>
    /// <param name="size">Bytes that what was read takes, about.</param>
    public void Add(Func<TRow> encode, long size)
    {
        _read[Count++] = encode;
        _bytes += size;
    }

    /// <summary>Adds a row as it is read. One that cannot be read is told of where the rows are encoded, as those are that cannot be encoded.</summary>
    /// <param name="read">Reads the row.</param>
    public void Read(RowReader<TRow> read) => Add(read.OrBad(out var size), size);

    /// <summary>Encodes the rows. Until <see cref="Clear"/> they are still there, as they were read, to be encoded once more.</summary>
    /// <returns>The rows in their order, until they are encoded again; those that are passed over are left out.</returns>
    /// <exception cref="InvalidOperationException">What the first row that cannot be used says, where it is not to be passed over.</exception>
    /// <exception cref="Exception">What the first row that cannot be encoded for another reason says.</exception>
    public ArraySegment<TRow> Encode()
    {
        var encoded = EncodeAll();
        var kept = 0;
        for (var row = 0; row < Count; row++)
        {
            if (_bad[row] is { IsSkipped: false } bad)
                throw bad.ToError();
            if (_bad[row] is null)
                _encoded[kept++] = _encoded[row];
        }

        return encoded[..kept];
    }

    /// <summary>Encodes the rows, those that cannot be used too, which have no value; see <see cref="BadRowAt"/>.</summary>
    public ArraySegment<TRow> EncodeAll()
    {
        engine.ForEach(Count, row =>
        {
            _bad[row] = null;
            try
            {
                _encoded[row] = _read[row]();
            }
            catch (BadRowException e)
            {
                (_encoded[row], _bad[row]) = (default!, e);
            }
        });
        return new ArraySegment<TRow>(_encoded, 0, Count);
    }

    /// <summary>Why a row cannot be used; null where it can. After the rows are encoded.</summary>
    public BadRowException? BadRowAt(int row) => _bad[row];

    /// <summary>Forgets the rows.</summary>
    public void Clear()
    {
        Array.Clear(_read, 0, Count);
        Array.Clear(_encoded, 0, Count);
        Array.Clear(_bad, 0, Count);
        (Count, _bytes) = (0, 0);
    }
}

/// <summary>How much of a table is read ahead.</summary>
internal static class RowBatch
{
    /// <summary>Most rows that are held at a time.</summary>
    public const int MostRows = 256;

    /// <summary>Most bytes, as they were read; one row always is.</summary>
    public const long MostBytes = 1 << 23;
}
