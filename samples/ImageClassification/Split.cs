using Samples;

namespace ImageClassification;

/// <summary>Divides rows.</summary>
internal static class Split
{
    /// <summary>Holds out a fifth of each class, and mixes what is left.</summary>
    /// <exception cref="UserException">There is a class with a single row, or no row at all.</exception>
    public static (List<T> Train, List<T> Test) Of<T>(IEnumerable<T> rows, Func<T, string> labelOf, int seed)
    {
        var all = rows.ToArray();
        new Random(seed).Shuffle(all);
        var split = (Train: new List<T>(), Test: new List<T>());
        foreach (var (label, group) in all.GroupBy(labelOf).OrderBy(g => g.Key, StringComparer.Ordinal).Select(g => (g.Key, g.ToList())))
        {
            if (group.Count < 2)
                throw new UserException($"There is only one image of '{label}'; a class needs one to learn from and one to test on.");
            var held = Math.Max(1, group.Count / 5);
            split.Test.AddRange(group.Take(held));
            split.Train.AddRange(group.Skip(held));
        }

        if (split.Test.Count == 0)
            throw new UserException("There are no images.");
        var test = split.Test.ToArray();
        new Random(seed).Shuffle(test);
        return (split.Train, [.. test]);
    }
}
