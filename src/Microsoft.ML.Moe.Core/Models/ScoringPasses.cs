namespace Microsoft.ML.Moe.Models;

/// <summary>Divides rows into forward passes of bounded size, so that memory stays bounded however many are scored.</summary>
internal static class ScoringPasses
{
    /// <summary>Rows of a pass at most.</summary>
    public const int Rows = 256;

    private const int MostTokens = 8192;
    private const int FewestTokens = 512;

    /// <summary>Memory that the results of all blocks of a pass shall take at most, in bytes.</summary>
    private const long MostBytes = 1L << 27;

    /// <summary>Tokens of a pass at most.</summary>
    private static long TokensOf(EncoderConfig encoder)
    {
        // queries, keys, values, attention, sums and norms, and the hidden units
        var (queries, keys) = encoder.AttentionWidths;
        var experts = encoder.MoeLayers == 0 ? 0 : (long)(encoder.Router.ExpertsPerToken * encoder.ExpertWidth) + (encoder.Mixture?.SharedWidth ?? 0);
        var hidden = Math.Max(encoder.FeedForwardWidth, experts);
        var ofToken = sizeof(float) * Math.Max(1L, encoder.Layers) * (6L * encoder.Width + 2L * queries + 2L * keys + hidden);
        return Math.Clamp(MostBytes / ofToken, FewestTokens, MostTokens);
    }

    /// <summary>The passes, in their order; each has at least one row.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="tokensOf">Number of a row's tokens.</param>
    /// <param name="encoder">The encoder, which tells how many tokens of a pass fit into the memory that it may take.</param>
    /// <param name="padded">Whether the rows of a pass are filled to the longest.</param>
    public static IEnumerable<List<TRow>> Of<TRow>(
        IReadOnlyList<TRow> rows, Func<TRow, int> tokensOf, EncoderConfig encoder, bool padded = false)
    {
        var most = TokensOf(encoder);
        var pass = new List<TRow>();
        var (tokens, longest) = (0, 0);
        foreach (var row in rows)
        {
            var length = tokensOf(row);
            longest = Math.Max(longest, length);
            var packed = padded ? (pass.Count + 1L) * longest : tokens + length;
            if (pass.Count > 0 && (pass.Count == Rows || packed > most))
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
