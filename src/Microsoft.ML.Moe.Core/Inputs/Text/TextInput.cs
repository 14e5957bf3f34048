using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>
/// Turns text into tokens for an encoder and into features for a linear branch. Safe to use from several threads. Texts are cut to
/// the maximum length; a pair shares it, the longer text giving way first.
/// </summary>
public abstract class TextInput : Input<EncodedText>
{
    /// <summary>Rows 0–2 of every embedding table: the start of the first text, of the second, a masked token.</summary>
    internal const int SpecialRows = 3;

    /// <summary>About so many characters, the space after it included, make a word.</summary>
    private const int CharactersOfWord = 4;

    private static readonly TokenFeatures StartOfFirst = new([0]);
    private static readonly TokenFeatures StartOfSecond = new([1]);
    private static readonly string[] SpecialTexts = ["[start]", "[start]", "[masked]"];
    private readonly TextInputConfig _config;

    private protected TextInput(TextInputConfig config) => _config = config;

    /// <summary>Longest input in tokens, start tokens counted.</summary>
    public int MaximumTokens => _config.MaximumTokens ?? TextInputConfig.MostTokens;

    /// <summary>Token that stands for a masked one.</summary>
    internal static TokenFeatures Masked { get; } = new([2]);

    /// <summary>Rows of the embedding table.</summary>
    internal abstract int TableRows { get; }

    /// <inheritdoc/>
    internal override TextInputConfig Config => _config with { UsesTokenizer = this is SubwordInput, TableRows = TableRows };

    /// <summary>A tokenizer's subwords, or hashed words without one.</summary>
    /// <param name="config">How text becomes tokens.</param>
    /// <param name="tokenizer">The tokenizer; null for hashed words.</param>
    public static TextInput Create(TextInputConfig config, ISubwordTokenizer? tokenizer = null)
    {
        ArgumentNullException.ThrowIfNull(config);
        return tokenizer is null ? new HashedWordInput(config) : new SubwordInput(tokenizer, config);
    }

    /// <summary>Encodes a text or a pair.</summary>
    /// <param name="text">First text; may be empty.</param>
    /// <param name="second">Second text of a pair, or null.</param>
    public EncodedText Encode(string text, string? second = null)
    {
        ArgumentNullException.ThrowIfNull(text);
        var one = WordsOf(text);
        var two = second is null ? default : WordsOf(second);
        var first = Split(one.Text, one.Words, one.Count);
        var other = second is null ? default : Split(two.Text, two.Words, two.Count);

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
            second is null ? null : Shared(tokens, 1 + keptOfFirst))
        {
            Linear = LinearRowOf(one, second is null ? null : two),
            Source = _config.Linear == LinearInput.Undecided || _config.MaximumTokens is null ? (text, second) : null,
        };
    }

    /// <summary>
    /// A text as this input reads it, where another one with the same tokens has: shorter, perhaps, and with what a linear branch reads.
    /// </summary>
    internal EncodedText Read(EncodedText text)
    {
        if (text.Length > MaximumTokens && text.Source is null)
            throw new ArgumentException($"A text has {text.Length} tokens; the input reads {MaximumTokens} at most.", nameof(text));
        if (text.Source is not var (first, second))
            return text;
        return text.Length <= MaximumTokens && text.TokensCutOff == 0 ? text.With(LinearRowOf(first, second)) : Encode(first, second);
    }

    /// <summary>What a linear branch reads of a text.</summary>
    internal LinearRow LinearRowOf(EncodedText text)
    {
        if (text.Linear is { } row)
            return row;
        var (first, second) = text.Source ?? throw new InvalidOperationException("The text was encoded by the input of another model.");
        return LinearRowOf(first, second)!;
    }

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

    /// <inheritdoc/>
    internal override int TokensOf(EncodedText row) => row.Length;

    /// <inheritdoc/>
    internal override int TokensCutOffOf(EncodedText row) => row.TokensCutOff;

    /// <inheritdoc/>
    internal override string TextOf(EncodedText row, int position) => TextOf(row.Tokens[position]);

    /// <inheritdoc/>
    internal override Packer<EncodedText> CreatePacker(Packing packing) => new TextBatchPacker(packing);

    /// <inheritdoc/>
    internal override TokenEmbedding CreateEmbedding(ParameterStore store, EncoderConfig encoder) =>
        new TextEmbedding(store, Config, encoder);

    /// <inheritdoc/>
    internal override void AddTo(TrainingDigest digest, IEnumerable<EncodedText> rows) => digest.AddTexts(rows);

    /// <summary>What a token of this input reads as, for people.</summary>
    /// <param name="token">A token of a text that this input has encoded.</param>
    /// <returns>The text; <c>[start]</c> for a start token.</returns>
    internal string TextOf(TokenFeatures token) =>
        token.Rows[0] < SpecialRows ? SpecialTexts[token.Rows[0]] : token.Text ?? TextOfRow(token.Rows[0] - SpecialRows);

    /// <summary>Text of a token that does not carry it.</summary>
    /// <param name="row">The token's own row, special rows not counted.</param>
    private protected abstract string TextOfRow(int row);

    /// <summary>
    /// Encodes a text of any length in pieces of at most <see cref="MaximumTokens"/>, for an encoder alone: a linear
    /// branch cannot read them.
    /// </summary>
    /// <param name="text">The text; a blank one gives no pieces.</param>
    public IEnumerable<EncodedText> EncodePieces(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (_config.Lowercase)
            text = text.ToLowerInvariant();
        var words = new List<Range>();
        WordSplitter.Split(text, words, int.MaxValue);
        foreach (var chunk in words.Chunk(MaximumTokens - 1))
        {
            var start = chunk[0].Start.Value;
            List<Range> own = [.. chunk.Select(w => (w.Start.Value - start)..(w.End.Value - start))];
            var (tokens, count) = Split(text[start..chunk[^1].End.Value], own, own.Count);
            TokenFeatures[] kept = [StartOfFirst, .. tokens.Take(MaximumTokens - 1)];
            yield return new EncodedText(kept, kept.Length, count - (kept.Length - 1));
        }
    }

    /// <summary>Tokens of one text.</summary>
    /// <param name="text">The text, lower-cased where asked for.</param>
    /// <param name="words">Its words and symbols, the first <see cref="MaximumTokens"/> at least.</param>
    /// <param name="wordCount">Number of words and symbols in the text.</param>
    /// <returns>The first <see cref="MaximumTokens"/> tokens, and how many there are in all.</returns>
    private protected abstract (TokenFeatures[] Tokens, int Count) Split(string text, List<Range> words, int wordCount);

    private bool ReadsLinearRows => _config.Linear is LinearInput.Words or LinearInput.WordsAndCharacters;

    private LinearRow? LinearRowOf(string text, string? second) =>
        ReadsLinearRows ? LinearRowOf(WordsOf(text), second is null ? null : WordsOf(second)) : null;

    /// <summary>What a linear branch reads of a text or a pair; null where it reads nothing.</summary>
    private LinearRow? LinearRowOf((string Text, List<Range> Words, int Count) one, (string Text, List<Range> Words, int Count)? other)
    {
        if (!ReadsLinearRows)
            return null;
        var builder = new LinearRowBuilder(_config.Linear == LinearInput.WordsAndCharacters);
        return other is var (text, words, _) ? builder.Build(one.Text, one.Words, text, words) : builder.Build(one.Text, one.Words);
    }

    /// <summary>A text, lower-cased where asked for, with its words and symbols, as many as are read, and their number in all.</summary>
    private (string Text, List<Range> Words, int Count) WordsOf(string text)
    {
        if (_config.Lowercase)
            text = text.ToLowerInvariant();
        var words = new List<Range>(Math.Min(text.Length / CharactersOfWord, MaximumTokens));
        var count = WordSplitter.Split(text, words, Math.Max(MaximumTokens, ReadsLinearRows ? LinearRowBuilder.MaximumWords : 0));
        return (text, words, count);
    }
}
