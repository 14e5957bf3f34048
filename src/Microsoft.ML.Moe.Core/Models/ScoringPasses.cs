using Microsoft.ML.Moe.Text;

namespace Microsoft.ML.Moe.Models;

/// <summary>Divides texts into forward passes of bounded size, so that memory stays bounded however many are scored.</summary>
internal static class ScoringPasses
{
    /// <summary>Rows of a pass at most.</summary>
    public const int Rows = 256;

    private const int Tokens = 8192;

    /// <summary>The passes, in the order of the texts; each has at least one.</summary>
    /// <param name="texts">The texts.</param>
    /// <param name="padded">Whether the texts of a pass are filled to the longest.</param>
    public static IEnumerable<List<EncodedText>> Of(IReadOnlyList<EncodedText> texts, bool padded = false)
    {
        var pass = new List<EncodedText>();
        var (tokens, longest) = (0, 0);
        foreach (var text in texts)
        {
            longest = Math.Max(longest, text.Length);
            var packed = padded ? (pass.Count + 1L) * longest : tokens + text.Length;
            if (pass.Count > 0 && (pass.Count == Rows || packed > Tokens))
            {
                yield return pass;
                pass = [];
                (tokens, longest) = (0, text.Length);
            }

            pass.Add(text);
            tokens += text.Length;
        }

        if (pass.Count > 0)
            yield return pass;
    }
}
