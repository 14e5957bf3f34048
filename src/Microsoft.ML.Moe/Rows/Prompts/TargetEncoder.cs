using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;

namespace Microsoft.ML.Moe.Rows;

/// <summary>
/// Makes the ids that a model is to write of a text, which end with its end token: of a text that is too long the end is cut off, and with
/// it the end token, where the tokenizer does not add that itself. Safe to use from several threads.
/// </summary>
/// <param name="generator">Tokenizer and defaults.</param>
/// <param name="maximumTokens">Most tokens of a text, the end token counted.</param>
/// <param name="endToken">What texts end with; null where the tokenizer adds it.</param>
internal sealed class TargetEncoder(TextGenerator generator, int maximumTokens, int? endToken)
{
    /// <summary>Finds what texts are to end with.</summary>
    /// <param name="generator">Tokenizer and defaults.</param>
    /// <param name="chat">The conversation format; null for none.</param>
    /// <param name="generation">How the model will write.</param>
    /// <returns>The token; null where the tokenizer adds one to a decoder's texts.</returns>
    /// <exception cref="ArgumentException">The model's files name none.</exception>
    public static int? EndTokenOf(TextGenerator generator, ChatTemplate? chat, GenerationOptions generation)
    {
        var tokenizer = generator.Files.Tokenizer.Inner;
        if (chat?.EndTokens.Select(tokenizer.TokenId).FirstOrDefault(id => id >= 0, -1) is { } ofTurn and >= 0)
            return ofTurn;
        if (generation.EndTokens.Count > 0)
            return generation.EndTokens[0];
        return generator.IsEncoderDecoder && generator.Files.Tokenizer.SpecialTokens(isPair: false) > 0
            ? null
            : throw new ArgumentException(
                $"The model's files name no token that ends an answer: give its id in {nameof(MoeTextGeneratorOptions.Generation)} = new "
                + $"{nameof(GenerationOptions)} {{ {nameof(GenerationOptions.EndTokens)} = [id] }}.");
    }

    /// <summary>Ids of a text, and how many of its tokens are cut off.</summary>
    /// <param name="text">The text.</param>
    public (int[] Ids, int CutOff) Encode(string text)
    {
        ReadOnlySpan<int> ids = [.. generator.Files.Tokenizer.Encode(text)];
        var special = generator.IsEncoderDecoder ? generator.Files.Tokenizer.SpecialTokens(isPair: false) : 0;
        var room = Math.Max(0, maximumTokens - Math.Max(special, endToken is null ? 0 : 1));
        var cut = Math.Max(0, ids.Length - room);
        int[] kept = generator.IsEncoderDecoder
            ? generator.Files.Tokenizer.WithSpecialTokens(ids[..(ids.Length - cut)], [], isPair: false).Ids
            : ids[..(ids.Length - cut)].ToArray();
        return (cut == 0 && endToken is { } end && (kept.Length == 0 || kept[^1] != end) ? [.. kept, end] : kept, cut);
    }

    /// <inheritdoc cref="TextGenerator.Join"/>
    public EncodedText Join(EncodedText prompt, int[] target) => generator.Join(prompt, target);

    /// <summary>
    /// The pieces of a text that a causal model learns by itself: each is as long as it may be, and the last ends with the end token. None
    /// of a text without two tokens.
    /// </summary>
    /// <param name="text">The text.</param>
    public IEnumerable<EncodedText> Pieces(string text)
    {
        var tokenizer = generator.Files.Tokenizer;
        int[] ids = [.. tokenizer.WithSpecialTokens([.. tokenizer.Encode(text)], [], isPair: false).Ids];
        if (endToken is { } end && ids.Length > 0 && ids[^1] != end)
            ids = [.. ids, end];
        return ids.Chunk(maximumTokens)
            .Where(piece => piece.Length > 1)
            .Select(piece => new EncodedText(new TokenIds(piece), 0, isEmpty: false));
    }
}
