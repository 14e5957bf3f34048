namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>A set of code points as sorted ranges.</summary>
internal readonly struct CodePointRanges
{
    private readonly int[] _bounds;

    /// <summary>Reads ranges as the Unicode files write them: <c>"61D 1B4E-1B4F"</c>, sorted.</summary>
    public CodePointRanges(string ranges)
    {
        var parts = ranges.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        _bounds = new int[2 * parts.Length];
        for (var i = 0; i < parts.Length; i++)
        {
            var dash = parts[i].IndexOf('-');
            _bounds[2 * i] = Convert.ToInt32(dash < 0 ? parts[i] : parts[i][..dash], 16);
            _bounds[2 * i + 1] = Convert.ToInt32(dash < 0 ? parts[i] : parts[i][(dash + 1)..], 16);
        }
    }

    /// <summary>Whether a code point is in the set.</summary>
    public bool Contains(int codePoint)
    {
        var (low, high) = (0, _bounds.Length / 2 - 1);
        while (low <= high)
        {
            var middle = (low + high) >> 1;
            if (codePoint < _bounds[2 * middle])
                high = middle - 1;
            else if (codePoint > _bounds[2 * middle + 1])
                low = middle + 1;
            else
                return true;
        }

        return false;
    }
}
