namespace Microsoft.ML.Moe.Routing;

/// <summary>
/// Counts texts in bounded memory (Misra and Gries 1982, many decrements at a time): exact until there are more different ones than
/// it holds. From then on, counts are lower bounds, off by at most 2/capacity of all that was added.
/// </summary>
/// <param name="capacity">Different texts to hold, at least 2.</param>
internal sealed class FrequentTexts(int capacity)
{
    private readonly Dictionary<string, long> _counts = [];

    /// <summary>Number of different texts held.</summary>
    public int Held => _counts.Count;

    /// <summary>Counts a text once more.</summary>
    public void Add(string text)
    {
        if (_counts.Count >= capacity && !_counts.ContainsKey(text))
            Shrink();
        _counts[text] = _counts.GetValueOrDefault(text) + 1;
    }

    /// <summary>The most frequent texts, by falling count and then in ordinal order.</summary>
    public IEnumerable<(string Text, long Count)> Largest(int number) => _counts
        .OrderByDescending(pair => pair.Value)
        .ThenBy(pair => pair.Key, StringComparer.Ordinal)
        .Take(number)
        .Select(pair => (pair.Key, pair.Value));

    /// <summary>Subtracts the median count from all, and lets go of those that fall to 0: half of them at least.</summary>
    private void Shrink()
    {
        var counts = _counts.Values.ToArray();
        Array.Sort(counts);
        var median = counts[counts.Length / 2];
        foreach (var (text, count) in _counts.ToArray())
            if (count > median)
                _counts[text] = count - median;
            else
                _counts.Remove(text);
    }
}
