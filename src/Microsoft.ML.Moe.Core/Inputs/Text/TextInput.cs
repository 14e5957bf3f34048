using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>
/// Turns text into tokens for an encoder and into features for a linear branch. Safe to use from several threads. Texts are cut to
/// the maximum length; a pair shares it, the longer text giving way first.
/// </summary>
public abstract class TextInput : Input<EncodedText>
{
    /// <summary>About so many characters, the space after it included, make a word.</summary>
    private const int CharactersOfWord = 4;

    private readonly LinearInput _linear;
    private readonly bool _lowercase;

    /// <summary>Creates the input.</summary>
    /// <param name="maximumTokens">Longest input in tokens.</param>
    /// <param name="linear">What a linear branch reads.</param>
    /// <param name="lowercase">Whether that is lower-cased, as are words for an encoder.</param>
    private protected TextInput(int maximumTokens, LinearInput linear, bool lowercase) =>
        (MaximumTokens, _linear, _lowercase) = (maximumTokens, linear, lowercase);

    /// <summary>Longest input in tokens, start tokens counted.</summary>
    public int MaximumTokens { get; }

    /// <summary>Whether texts are kept, because what is read of them is still to be decided.</summary>
    private protected virtual bool KeepsSource => _linear == LinearInput.Undecided;

    private bool ReadsLinearRows => _linear is LinearInput.Words or LinearInput.WordsAndCharacters;

    /// <summary>A tokenizer's subwords, or hashed words without one.</summary>
    /// <param name="config">How text becomes tokens.</param>
    /// <param name="tokenizer">The tokenizer; null for hashed words.</param>
    public static TextInput Create(TextInputConfig config, ISubwordTokenizer? tokenizer = null) => TableTextInput.Create(config, tokenizer);

    /// <summary>Encodes a text or a pair.</summary>
    /// <param name="text">First text; may be empty.</param>
    /// <param name="second">Second text of a pair, or null.</param>
    public EncodedText Encode(string text, string? second = null)
    {
        ArgumentNullException.ThrowIfNull(text);
        var one = WordsOf(text);
        (string Text, List<Range> Words, int Count)? two = second is null ? null : WordsOf(second);
        var encoded = EncodeTokens(text, second, one, two).From(EncodedText.HashOf(text, second));
        return KeepsSource ? encoded.With(LinearRowOf(one, two), (text, second)) : encoded.With(LinearRowOf(one, two));
    }

    /// <summary>
    /// A text as this input reads it, where another one has: with what a linear branch reads, and other tokens where they differ.
    /// </summary>
    internal EncodedText Read(EncodedText text)
    {
        if (text.Length > MaximumTokens && text.Source is null)
            throw new ArgumentException($"A text has {text.Length} tokens; the input reads {MaximumTokens} at most.", nameof(text));
        if (text.Source is not var (first, second))
            return text;
        return HasTokensOf(text) ? text.With(LinearRowOf(first, second)) : Encode(first, second);
    }

    /// <summary>Rows as this input reads them; see <see cref="Read(EncodedText)"/>.</summary>
    internal Example<EncodedText>[] Read(IReadOnlyList<Example<EncodedText>> rows, Engine engine)
    {
        var read = rows.ToArray();
        engine.ForEach(read.Length, i => read[i] = read[i] with { Input = Read(read[i].Input) });
        return read;
    }

    /// <summary>Whether this input would make the same tokens of a text that another one has read.</summary>
    private protected virtual bool HasTokensOf(EncodedText text) => text.Length <= MaximumTokens && text.TokensCutOff == 0;

    /// <summary>What a linear branch reads of a text.</summary>
    internal LinearRow LinearRowOf(EncodedText text)
    {
        if (text.Linear is { } row)
            return row;
        var (first, second) = text.Source ?? throw new InvalidOperationException("The text was encoded by the input of another model.");
        return LinearRowOf(first, second)!;
    }

    /// <inheritdoc/>
    internal override int TokensOf(EncodedText row) => row.Length;

    /// <inheritdoc/>
    internal override int TokensCutOffOf(EncodedText row) => row.TokensCutOff;

    /// <inheritdoc/>
    internal override void AddTo(TrainingDigest digest, IEnumerable<EncodedText> rows) => digest.AddTexts(rows);

    /// <summary>
    /// Encodes a text of any length in pieces of at most <see cref="MaximumTokens"/>, for an encoder alone: a linear
    /// branch cannot read them.
    /// </summary>
    /// <param name="text">The text; a blank one gives no pieces.</param>
    public abstract IEnumerable<EncodedText> EncodePieces(string text);

    /// <summary>Tokens of a text or a pair.</summary>
    /// <param name="text">First text.</param>
    /// <param name="second">Second text of a pair, or null.</param>
    /// <param name="words">The first text, lower-cased where asked for, its words and symbols, and their number in all.</param>
    /// <param name="secondWords">The same of the second.</param>
    private protected abstract EncodedText EncodeTokens(
        string text, string? second, (string Text, List<Range> Words, int Count) words, (string Text, List<Range> Words, int Count)? secondWords);

    /// <summary>Words and symbols of a text that are looked at for its tokens.</summary>
    private protected virtual int WordsForTokens => MaximumTokens;

    private LinearRow? LinearRowOf(string text, string? second) =>
        ReadsLinearRows ? LinearRowOf(WordsOf(text), second is null ? null : WordsOf(second)) : null;

    /// <summary>What a linear branch reads of a text or a pair; null where it reads nothing.</summary>
    private LinearRow? LinearRowOf((string Text, List<Range> Words, int Count) one, (string Text, List<Range> Words, int Count)? other)
    {
        if (!ReadsLinearRows)
            return null;
        var builder = new LinearRowBuilder(_linear == LinearInput.WordsAndCharacters);
        return other is var (text, words, _) ? builder.Build(one.Text, one.Words, text, words) : builder.Build(one.Text, one.Words);
    }

    /// <summary>A text, lower-cased where asked for, with its words and symbols, as many as are read, and their number in all.</summary>
    private (string Text, List<Range> Words, int Count) WordsOf(string text)
    {
        var limit = Math.Max(WordsForTokens, ReadsLinearRows ? LinearRowBuilder.MaximumWords : 0);
        if (limit == 0)
            return (text, [], 0);
        if (_lowercase)
            text = text.ToLowerInvariant();
        var words = new List<Range>(Math.Min(text.Length / CharactersOfWord, MaximumTokens));
        var count = WordSplitter.Split(text, words, limit);
        return (text, words, count);
    }
}
