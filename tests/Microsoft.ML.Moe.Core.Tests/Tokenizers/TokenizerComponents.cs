using Microsoft.ML.Moe.Tokenizers;

namespace Microsoft.ML.Moe.Tests.Tokenizers;

/// <summary>Parts of a tokenizer on their own.</summary>
internal static class TokenizerComponents
{
    /// <summary>Pieces of a text with their places in code points.</summary>
    public static IEnumerable<(string, int, int)> Pieces(TextPreTokenizer preTokenizer, string text)
    {
        var pieces = new PieceText();
        pieces.Reset(text);
        preTokenizer.Split(pieces);
        foreach (var piece in pieces.Pieces)
            yield return (
                pieces.Text.Units.Slice(piece.Start, piece.Length).ToString(),
                TokenizerGolden.InCodePoints(text, pieces.Text.Starts[piece.Start]),
                TokenizerGolden.InCodePoints(text, pieces.Text.Ends[piece.Start + piece.Length - 1]));
    }

    /// <summary>Number of different ids.</summary>
    public static int DistinctTokens(this HuggingFaceTokenizer tokenizer) =>
        Enumerable.Range(0, tokenizer.VocabularySize).Count(id => tokenizer.TokenText(id) is not null);
}
