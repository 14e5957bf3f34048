namespace Samples;

/// <summary>Rows for training, for validation and for testing.</summary>
internal sealed record DocSplit<T>(IReadOnlyList<T> Train, IReadOnlyList<T> Validation, IReadOnlyList<T> Test)
{
    /// <summary>The same split of other rows.</summary>
    public DocSplit<TOther> Select<TOther>(Func<T, TOther> change) => Map<TOther>(part => [.. part.Select(change)]);

    /// <summary>What is made of each part by itself.</summary>
    public DocSplit<TOther> Map<TOther>(Func<IReadOnlyList<T>, IReadOnlyList<TOther>> change) =>
        new(change(Train), change(Validation), change(Test));
}

/// <summary>Divides rows by the type that they are about.</summary>
internal static class DocSplit
{
    /// <summary>
    /// Splits by a hash of the type's name without its number of type parameters, <c>Func`1</c> and <c>Func`2</c> read alike and stay
    /// together: about a fifth to test, a tenth of the rest to validate.
    /// </summary>
    public static DocSplit<T> ByType<T>(IEnumerable<T> rows, Func<T, string> typeOf)
    {
        var parts = rows.ToLookup(row =>
        {
            var hash = Hash(typeOf(row).Split('`')[0]);
            return hash % 5 == 0 ? 2 : hash / 5 % 10 == 0 ? 1 : 0;
        });
        return new DocSplit<T>([.. parts[0]], [.. parts[1]], [.. parts[2]]);
    }

    /// <summary>FNV-1a with a final mix: string.GetHashCode differs from run to run.</summary>
    public static uint Hash(string text)
    {
        var hash = 2166136261u;
        foreach (var c in text)
            hash = (hash ^ c) * 16777619;
        hash = (hash ^ (hash >> 16)) * 0x85EBCA6B;
        return hash ^ (hash >> 13);
    }
}
