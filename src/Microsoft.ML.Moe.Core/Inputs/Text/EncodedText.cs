using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>A text, or a pair of texts, as a model reads it.</summary>
public sealed class EncodedText
{
    private readonly bool[]? _isShared;
    private readonly bool _hasNoText;
    private readonly bool _isPairOfIds;

    internal EncodedText(TokenFeatures[] tokens, int secondStart, int tokensCutOff, bool[]? isShared = null)
    {
        Tokens = tokens;
        SecondStart = secondStart;
        TokensCutOff = tokensCutOff;
        _isShared = isShared;
    }

    /// <summary>A text as ids of a published tokenizer.</summary>
    internal EncodedText(TokenIds ids, int tokensCutOff, bool isEmpty, bool isPair = false)
    {
        (Ids, Tokens, TokensCutOff) = (ids, [], tokensCutOff);
        (_hasNoText, _isPairOfIds) = (isEmpty, isPair);
    }

    private EncodedText(EncodedText other)
    {
        (Tokens, Ids, SecondStart, TokensCutOff) = (other.Tokens, other.Ids, other.SecondStart, other.TokensCutOff);
        (_isShared, _hasNoText, _isPairOfIds) = (other._isShared, other._hasNoText, other._isPairOfIds);
        (FurtherWindows, SourceHash) = (other.FurtherWindows, other.SourceHash);
    }

    /// <summary>Number of tokens kept; at least one, the start token.</summary>
    public int Length => Ids?.Ids.Length ?? Tokens.Length;

    /// <summary>Whether there is nothing in it but start tokens.</summary>
    public bool IsEmpty =>
        Ids is null ? Array.TrueForAll(Tokens, token => token.Rows[0] < TableTextInput.SpecialRows - 1) : _hasNoText;

    /// <summary>Number of tokens beyond the maximum length, cut off.</summary>
    public int TokensCutOff { get; }

    /// <summary>Whether it is a pair of texts.</summary>
    internal bool IsPair => Ids is null ? SecondStart < Tokens.Length : _isPairOfIds;

    /// <summary>The tokens; none where they are <see cref="Ids"/>.</summary>
    internal TokenFeatures[] Tokens { get; }

    /// <summary>The tokens as ids of a published tokenizer; null where they are <see cref="Tokens"/>.</summary>
    internal TokenIds? Ids { get; private init; }

    /// <summary>Position of the first token of the second text; <see cref="Length"/> when there is none.</summary>
    internal int SecondStart { get; }

    /// <summary>What a linear branch reads of it; null where it is to be read from <see cref="Source"/> when it is needed.</summary>
    internal LinearRow? Linear { get; init; }

    /// <summary>The texts that it was made of, where a trainer may have to read them once more.</summary>
    internal (string First, string? Second)? Source { get; init; }

    /// <summary>
    /// Tells the texts that it was made of from others, whatever was kept of them; see <see cref="HashOf"/>. 0 where its ids are all there is.
    /// </summary>
    internal UInt128 SourceHash { get; init; }

    /// <summary>Further stretches of the same row, each read by itself, where a model that writes reads it in several; else none.</summary>
    internal IReadOnlyList<EncodedText> FurtherWindows { get; private init; } = [];

    /// <summary>A hash of texts, their order, and where each ends.</summary>
    internal static UInt128 HashOf(params ReadOnlySpan<string?> texts)
    {
        var (upper, lower) = (0UL, 1UL);
        foreach (var text in texts)
        {
            // of the length too, which tells nothing at all from an empty text
            lower = StableHash.Combine(lower, StableHash.Of(text, lower) ^ (ulong)(text?.Length ?? -1));
            upper = StableHash.Combine(upper, StableHash.Of(text, upper));
        }

        return new UInt128(upper, lower);
    }

    /// <summary>The same, made of texts with this hash.</summary>
    internal EncodedText From(UInt128 sourceHash) => new(this) { Linear = Linear, Source = Source, SourceHash = sourceHash };

    /// <summary>The same tokens, with further stretches of the row.</summary>
    internal EncodedText WithWindows(IReadOnlyList<EncodedText> further) => new(this) { FurtherWindows = further };

    /// <summary>The same tokens, with what a linear branch reads; the texts are kept only where they are given.</summary>
    internal EncodedText With(LinearRow? linear, (string First, string? Second)? source = null) =>
        new(this) { Linear = linear, Source = source };

    /// <summary>The same ids, followed by those that a causal model is to tell.</summary>
    internal EncodedText FollowedBy(ReadOnlySpan<int> targets) =>
        new(this) { Ids = Ids! with { Ids = [.. Ids.Ids, .. targets], FirstTarget = Ids.Ids.Length } };

    /// <summary>The same ids, with those that a decoder is to write to them; see <see cref="TokenIds.Targets"/>.</summary>
    internal EncodedText WithTargets(int[] targets) => new(this) { Ids = Ids! with { Targets = targets } };

    /// <summary>Whether the token at a position occurs in the other text of a pair as well.</summary>
    internal bool IsShared(int position) => _isShared is not null && _isShared[position];
}

/// <summary>
/// One token as rows of the embedding table: the first row is the token itself, the others, if any, are parts of it (character
/// n-grams). Its vector is row₀ + the mean of the other rows.
/// </summary>
/// <param name="rows">At least one row number.</param>
/// <param name="text">The token's text, where it is not told by its rows.</param>
internal sealed class TokenFeatures(int[] rows, string? text = null)
{
    /// <summary>The token's text; null where <see cref="TableTextInput"/> tells it from the rows.</summary>
    public string? Text { get; } = text;

    /// <summary>Table rows, the token's own first.</summary>
    public int[] Rows { get; } = rows;
}
