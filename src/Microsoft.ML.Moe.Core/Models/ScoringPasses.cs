namespace Microsoft.ML.Moe.Models;

/// <summary>Divides rows into forward passes of bounded size, so that memory stays bounded however many are scored.</summary>
internal static class ScoringPasses
{
    /// <summary>Rows of a pass at most.</summary>
    public const int Rows = 256;

    private const int Tokens = 8192;

    /// <summary>The passes, in their order; each has at least one row.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="tokensOf">Number of a row's tokens.</param>
    /// <param name="padded">Whether the rows of a pass are filled to the longest.</param>
    public static IEnumerable<List<TRow>> Of<TRow>(IReadOnlyList<TRow> rows, Func<TRow, int> tokensOf, bool padded = false)
    {
        var pass = new List<TRow>();
        var (tokens, longest) = (0, 0);
        foreach (var row in rows)
        {
            var length = tokensOf(row);
            longest = Math.Max(longest, length);
            var packed = padded ? (pass.Count + 1L) * longest : tokens + length;
            if (pass.Count > 0 && (pass.Count == Rows || packed > Tokens))
            {
                yield return pass;
                pass = [];
                (tokens, longest) = (0, length);
            }

            pass.Add(row);
            tokens += length;
        }

        if (pass.Count > 0)
            yield return pass;
    }
}
