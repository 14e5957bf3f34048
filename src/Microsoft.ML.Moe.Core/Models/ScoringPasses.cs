using Microsoft.ML.Moe.Text;

namespace Microsoft.ML.Moe.Models;

/// <summary>Divides texts into forward passes of bounded size, so that memory stays bounded however many are scored.</summary>
internal static class ScoringPasses
{
    /// <summary>Rows of a pass at most.</summary>
    public const int Rows = 256;

    private const int Tokens = 8192;

    /// <summary>The passes, in the order of the texts; each has at least one.</summary>
    public static IEnumerable<List<EncodedText>> Of(IReadOnlyList<EncodedText> texts)
    {
        var pass = new List<EncodedText>();
        var tokens = 0;
        foreach (var text in texts)
        {
            if (pass.Count > 0 && (pass.Count == Rows || tokens + text.Length > Tokens))
            {
                yield return pass;
                pass = [];
                tokens = 0;
            }

            pass.Add(text);
            tokens += text.Length;
        }

        if (pass.Count > 0)
            yield return pass;
    }
}
