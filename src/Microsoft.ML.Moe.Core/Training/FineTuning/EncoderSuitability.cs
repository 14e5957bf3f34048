using System.Globalization;
using Microsoft.ML.Moe.Inputs;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// Whether a published encoder knows the language of texts, by what its tokenizer makes of them: of words that it has never seen it has no
/// good vectors, and whatever is learned over them is worse than counting words.
/// </summary>
/// <param name="UnknownShare">Share of tokens that stand for something unknown.</param>
/// <param name="ContinuationShare">Share of tokens that go on with a word: many where words are cut into small pieces.</param>
internal readonly record struct EncoderSuitability(double UnknownShare, double ContinuationShare)
{
    /// <summary>English texts have 0 to 1 %, Chinese ones 64 % in an English vocabulary.</summary>
    private const double MostUnknown = 0.05;

    /// <summary>English texts have 2 to 20 %, German ones 47 % in an English vocabulary.</summary>
    private const double MostContinuations = 0.33;

    private const string Continuation = "##";

    /// <summary>Whether the encoder is of use.</summary>
    public bool IsSuitable => UnknownShare <= MostUnknown && ContinuationShare <= MostContinuations;

    /// <summary>Looks at texts.</summary>
    /// <param name="texts">Texts as ids of the tokenizer.</param>
    /// <param name="tokenizer">The tokenizer; whether a token goes on with a word is known of WordPiece alone.</param>
    public static EncoderSuitability Of(IEnumerable<EncodedText> texts, IPublishedTokenizer tokenizer)
    {
        var counts = new Dictionary<int, long>();
        foreach (var text in texts)
            foreach (var id in text.Ids!.Ids)
                counts[id] = counts.GetValueOrDefault(id) + 1;
        var (all, unknown, continuations) = (0L, 0L, 0L);
        foreach (var (id, count) in counts)
        {
            var text = tokenizer.TextOf(id) ?? "";
            all += count;
            unknown += text is "[UNK]" or "<unk>" ? count : 0;
            continuations += text.StartsWith(Continuation, StringComparison.Ordinal) ? count : 0;
        }

        return new EncoderSuitability(unknown / (double)Math.Max(1, all), continuations / (double)Math.Max(1, all));
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"{UnknownShare:P1} of the tokens are unknown to it, {ContinuationShare:P1} are pieces of longer words");
}
