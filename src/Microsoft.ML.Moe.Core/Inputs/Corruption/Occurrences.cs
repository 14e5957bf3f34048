using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>The different values of a column, and how often each occurs. What is drawn from it depends on no order of reading.</summary>
internal sealed class Occurrences<T>
{
    private readonly IComparer<T> _comparer;
    private readonly T[] _values;
    private readonly long[] _countsBefore;

    /// <summary>Takes counted values.</summary>
    /// <param name="counts">How often each different value occurs, at least once.</param>
    /// <param name="comparer">Brings the values into an order.</param>
    public Occurrences(IReadOnlyDictionary<T, long> counts, IComparer<T> comparer)
    {
        _comparer = comparer;
        _values = [.. counts.Keys.Order(comparer)];
        _countsBefore = new long[_values.Length + 1];
        for (var i = 0; i < _values.Length; i++)
            _countsBefore[i + 1] = _countsBefore[i] + counts[_values[i]];
    }

    /// <summary>Number of different values.</summary>
    public int Different => _values.Length;

    /// <summary>Draws a value other than one; that one where there is no other.</summary>
    /// <param name="own">The value.</param>
    /// <param name="draw">How.</param>
    /// <param name="random">Gives one number.</param>
    public T Other(T own, CorruptionDraw draw, StableRandom random)
    {
        var place = Array.BinarySearch(_values, own, _comparer);
        var isKnown = place >= 0;
        if (_values.Length == (isKnown ? 1 : 0))
            return own;
        if (draw == CorruptionDraw.Uniform)
        {
            var drawn = (int)(random.Next() * (_values.Length - (isKnown ? 1 : 0)));
            return _values[isKnown && drawn >= place ? drawn + 1 : drawn];
        }

        var ownCount = isKnown ? _countsBefore[place + 1] - _countsBefore[place] : 0;
        var occurrence = (long)(random.Next() * (_countsBefore[^1] - ownCount));
        if (isKnown && occurrence >= _countsBefore[place])
            occurrence += ownCount;
        var found = Array.BinarySearch(_countsBefore, occurrence);
        return _values[found >= 0 ? found : ~found - 1];
    }
}
