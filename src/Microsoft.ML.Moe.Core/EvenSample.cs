namespace Microsoft.ML.Moe;

/// <summary>Some rows in place of all: tables are often in the order of their classes, so that the first ones would not stand for the rest.</summary>
internal static class EvenSample
{
    /// <summary>At most so many rows, evenly spread over all, in their order.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="most">How many at most.</param>
    public static IReadOnlyList<T> Of<T>(IReadOnlyList<T> rows, int most) =>
        rows.Count <= most ? rows : [.. Enumerable.Range(0, most).Select(i => rows[(int)((long)i * rows.Count / most)])];
}
