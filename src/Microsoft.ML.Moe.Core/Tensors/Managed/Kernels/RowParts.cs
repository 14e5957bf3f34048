namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// Rows divided into parts of whole tiles and about equal size. A small rest would read all of the second factor for a few rows, and
/// leave one thread waiting for another.
/// </summary>
internal readonly struct RowParts
{
    private readonly int _tileRows;
    private readonly int _rows;
    private readonly int _tiles;

    /// <summary>Divides rows into parts of at most <paramref name="mostRows"/>, a multiple of a tile's.</summary>
    public RowParts(Kernels kernels, int rows, int mostRows)
    {
        _tileRows = kernels.TileRows;
        _rows = rows;
        _tiles = kernels.TilesOf(rows);
        Count = (rows + mostRows - 1) / mostRows;
    }

    /// <summary>Number of parts.</summary>
    public int Count { get; }

    /// <summary>Rows of the largest part.</summary>
    public int MostRows => Count == 0 ? 0 : (_tiles + Count - 1) / Count * _tileRows;

    /// <summary>First row and rows of a part.</summary>
    public (int First, int Rows) this[int part]
    {
        get
        {
            var first = (int)((long)_tiles * part / Count) * _tileRows;
            var end = (int)((long)_tiles * (part + 1) / Count) * _tileRows;
            return (first, Math.Min(end, _rows) - first);
        }
    }
}
