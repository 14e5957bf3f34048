using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>Texts as tokens that are rows of a table which the model learns: a tokenizer's subwords, or hashed words.</summary>
internal abstract class TableTextInput : TextInput
{
    /// <summary>Rows 0–2 of every embedding table: the start of the first text, of the second, a masked token.</summary>
    public const int SpecialRows = 3;

    private static readonly TokenFeatures StartOfFirst = new([0]);
    private static readonly TokenFeatures StartOfSecond = new([1]);
    private static readonly string[] SpecialTexts = ["[start]", "[start]", "[masked]"];
    private readonly TextInputConfig _config;

    private protected TableTextInput(TextInputConfig config)
        : base(config.MaximumTokens ?? TextInputConfig.MostTokens, config.Linear, config.Lowercase) => _config = config;

    /// <summary>Token that stands for a masked one.</summary>
    public static TokenFeatures Masked { get; } = new([2]);

    /// <summary>Rows of the embedding table.</summary>
    public abstract int TableRows { get; }

    /// <inheritdoc/>
    internal override TextInputConfig Config => _config with { UsesTokenizer = this is SubwordInput, TableRows = TableRows };

    /// <inheritdoc/>
    private protected override bool KeepsSource => base.KeepsSource || _config.MaximumTokens is null;

    /// <inheritdoc/>
    private protected override bool HasTokensOf(EncodedText text) => base.HasTokensOf(text) && text.Ids is null;

    /// <inheritdoc cref="TextInput.Create"/>
    public static new TableTextInput Create(TextInputConfig config, ISubwordTokenizer? tokenizer = null)
    {
        ArgumentNullException.ThrowIfNull(config);
        return tokenizer is null ? new HashedWordInput(config) : new SubwordInput(tokenizer, config);
    }

    /// <inheritdoc/>
    public override IEnumerable<EncodedText> EncodePieces(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Pieces(_config.Lowercase ? text.ToLowerInvariant() : text);
    }

    /// <summary>Rows are read from now on that are learned from.</summary>
    internal virtual void BeginLearning()
    {
    }

    /// <summary>From now on rows are read to be scored: memory for words is that which was asked for.</summary>
    internal virtual void EndLearning()
    {
    }

    /// <inheritdoc/>
    internal override string TextOf(EncodedText row, int position) => TextOf(row.Tokens[position]);

    /// <summary>What a token of this input reads as, for people.</summary>
    /// <param name="token">A token of a text that this input has encoded.</param>
    /// <returns>The text; <c>[start]</c> for a start token.</returns>
    public string TextOf(TokenFeatures token) =>
        token.Rows[0] < SpecialRows ? SpecialTexts[token.Rows[0]] : token.Text ?? TextOfRow(token.Rows[0] - SpecialRows);

    /// <inheritdoc/>
    internal override Packer<EncodedText> CreatePacker(Packing packing) => new TextBatchPacker(packing);

    /// <inheritdoc/>
    internal override TokenEmbedding CreateEmbedding(ParameterStore store, EncoderConfig encoder) =>
        new TextEmbedding(store, Config, encoder);

    /// <inheritdoc/>
    private protected override EncodedText EncodeTokens(
        string text, string? second, (string Text, List<Range> Words, int Count) words, (string Text, List<Range> Words, int Count)? secondWords)
    {
        var first = Split(words.Text, words.Words, words.Count);
        var other = secondWords is var (otherText, otherWords, otherCount) ? Split(otherText, otherWords, otherCount) : default;

        var room = MaximumTokens - (second is null ? 1 : 2);
        var keptOfOther = Math.Min(other.Count, Math.Max(room - first.Count, room / 2));
        var keptOfFirst = Math.Min(first.Count, room - keptOfOther);
        TokenFeatures[] tokens = second is null
            ? [StartOfFirst, .. first.Tokens.AsSpan(0, keptOfFirst)]
            : [StartOfFirst, .. first.Tokens.AsSpan(0, keptOfFirst), StartOfSecond, .. other.Tokens.AsSpan(0, keptOfOther)];
        return new EncodedText(
            tokens,
            1 + keptOfFirst,
            first.Count + other.Count - keptOfFirst - keptOfOther,
            second is null ? null : Shared(tokens, 1 + keptOfFirst));
    }

    /// <summary>Tokens of one text.</summary>
    /// <param name="text">The text, lower-cased where asked for.</param>
    /// <param name="words">Its words and symbols, the first <see cref="TextInput.MaximumTokens"/> at least.</param>
    /// <param name="wordCount">Number of words and symbols in the text.</param>
    /// <returns>The first <see cref="TextInput.MaximumTokens"/> tokens, and how many there are in all.</returns>
    private protected abstract (TokenFeatures[] Tokens, int Count) Split(string text, List<Range> words, int wordCount);

    /// <summary>Text of a token that does not carry it.</summary>
    /// <param name="row">The token's own row, special rows not counted.</param>
    private protected abstract string TextOfRow(int row);

    /// <summary>Flags the tokens of a pair that occur in both texts, told apart by their row.</summary>
    private static bool[] Shared(TokenFeatures[] tokens, int secondStart)
    {
        var isShared = new bool[tokens.Length];
        var (first, second) = (RowsOf(tokens.AsSpan(0, secondStart)), RowsOf(tokens.AsSpan(secondStart)));
        for (var i = 0; i < tokens.Length; i++)
            isShared[i] = (i < secondStart ? second : first).Contains(tokens[i].Rows[0]);
        return isShared;
    }

    private static HashSet<int> RowsOf(ReadOnlySpan<TokenFeatures> tokens)
    {
        var rows = new HashSet<int>(tokens.Length);
        foreach (var token in tokens)
            if (token.Rows[0] >= SpecialRows)
                rows.Add(token.Rows[0]);
        return rows;
    }

    private IEnumerable<EncodedText> Pieces(string text)
    {
        var words = new List<Range>();
        WordSplitter.Split(text, words, int.MaxValue);
        foreach (var chunk in words.Chunk(MaximumTokens - 1))
        {
            var start = chunk[0].Start.Value;
            List<Range> own = [.. chunk.Select(w => (w.Start.Value - start)..(w.End.Value - start))];
            var piece = text[start..chunk[^1].End.Value];
            var (tokens, count) = Split(piece, own, own.Count);
            TokenFeatures[] kept = [StartOfFirst, .. tokens.Take(MaximumTokens - 1)];
            yield return new EncodedText(kept, kept.Length, count - (kept.Length - 1)) { SourceHash = EncodedText.HashOf(piece) };
        }
    }
}
