using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>Texts as the ids of a published encoder's own tokenizer, with its special tokens.</summary>
internal sealed class PublishedTextInput : TextInput
{
    private readonly PublishedTextInputConfig _config;

    /// <summary>Creates the input.</summary>
    /// <param name="config">How text becomes tokens.</param>
    /// <param name="tokenizer">The encoder's tokenizer.</param>
    /// <exception cref="ArgumentException">Special tokens alone fill the longest input.</exception>
    public PublishedTextInput(PublishedTextInputConfig config, IPublishedTokenizer tokenizer)
        : base(config.MaximumTokens, config.Linear, config.Lowercase)
    {
        (_config, Tokenizer) = (config, tokenizer);
        if (Math.Max(tokenizer.SpecialTokens(isPair: true), tokenizer.SpecialTokens(isPair: false)) >= config.MaximumTokens)
            throw new ArgumentException($"{config.MaximumTokens} tokens have no room for text beside special tokens.", nameof(config));
    }

    /// <summary>The encoder's tokenizer.</summary>
    public IPublishedTokenizer Tokenizer { get; }

    /// <inheritdoc/>
    internal override PublishedTextInputConfig Config => _config;

    /// <summary>Words are only looked at where a linear branch reads them.</summary>
    private protected override int WordsForTokens => 0;

    /// <inheritdoc/>
    public override IEnumerable<EncodedText> EncodePieces(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var room = MaximumTokens - Tokenizer.SpecialTokens(isPair: false);
        return IdsOf(text).Chunk(room).Select(ids => new EncodedText(Tokenizer.WithSpecialTokens(ids, [], isPair: false), 0, isEmpty: false));
    }

    /// <summary>Encodes a text, and what a decoder is to write to it, with the special tokens that the tokenizer adds to a text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="target">What is to be written.</param>
    /// <param name="maximumTargetTokens">Most tokens of that, special tokens counted; what is beyond is cut off.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no room for text beside special tokens.</exception>
    internal EncodedText EncodeWithTarget(string text, string target, int maximumTargetTokens)
    {
        ArgumentNullException.ThrowIfNull(target);
        var room = maximumTargetTokens - Tokenizer.SpecialTokens(isPair: false);
        ArgumentOutOfRangeException.ThrowIfLessThan(room, 1, nameof(maximumTargetTokens));
        var ids = IdsOf(target);
        return Encode(text).WithTargets(
            Tokenizer.WithSpecialTokens(ids.AsSpan(0, Math.Min(ids.Length, room)), [], isPair: false).Ids);
    }

    /// <inheritdoc/>
    internal override string TextOf(EncodedText row, int position) => TextOf(row.Ids!.Ids[position]);

    /// <inheritdoc/>
    internal override int TargetTokensOf(EncodedText row) => row.Ids?.Targets?.Length ?? 0;

    /// <inheritdoc/>
    internal override string TextOfTarget(EncodedText row, int position) =>
        position == 0 ? "[start]" : TextOf(row.Ids!.Targets![position - 1] is >= 0 and var id ? id : _config.PaddingId);

    /// <inheritdoc/>
    internal override Packer<EncodedText> CreatePacker(Packing packing) => new TokenIdPacker(packing, _config);

    /// <inheritdoc/>
    internal override TokenEmbedding CreateEmbedding(ParameterStore store, EncoderConfig encoder) => encoder is PublishedConfig published
        ? published.CreateTokenEmbedding(store)
        : throw new ArgumentException("Ids of a published tokenizer need a published encoder.", nameof(encoder));

    /// <inheritdoc/>
    private protected override EncodedText EncodeTokens(
        string text, string? second, (string Text, List<Range> Words, int Count) words, (string Text, List<Range> Words, int Count)? secondWords)
    {
        var (first, other) = (IdsOf(text), second is null ? [] : IdsOf(second));
        var isPair = second is not null;
        if (_config.Windows == TextWindows.Apart)
            return EncodeWindows(first, other, isPair);
        if (_config.Windows == TextWindows.BothEnds)
            return EncodeWindows(first, first, isPair: false);
        var (keptOfFirst, keptOfOther) = Kept(first.Length, other.Length, MaximumTokens - Tokenizer.SpecialTokens(isPair));
        var ids = Tokenizer.WithSpecialTokens(first.AsSpan(0, keptOfFirst), other.AsSpan(0, keptOfOther), isPair);
        // a row has a token, even of a tokenizer that adds none
        return new EncodedText(
            ids.Ids.Length > 0 ? ids : new TokenIds([_config.PaddingId]),
            first.Length + other.Length - keptOfFirst - keptOfOther,
            first.Length + other.Length == 0,
            isPair);
    }

    /// <inheritdoc/>
    private protected override bool HasTokensOf(EncodedText text) =>
        base.HasTokensOf(text) && text.Ids is { SecondWindow: 0 } && _config.Windows == TextWindows.Whole;

    /// <summary>
    /// Two sequences: the beginning of the first text, and that of the second, or the end of the same.
    /// </summary>
    private EncodedText EncodeWindows(int[] first, int[] second, bool isPair)
    {
        var room = MaximumTokens - Tokenizer.SpecialTokens(isPair: false);
        var one = first.AsSpan(0, Math.Min(first.Length, room));
        var other = second.AsSpan(0, Math.Min(second.Length, room));
        if (!isPair)
            other = second.AsSpan(Math.Max(0, second.Length - room));
        int[] start = [.. Tokenizer.WithSpecialTokens(one, [], isPair: false).Ids];
        int[] end = [.. Tokenizer.WithSpecialTokens(other, [], isPair: false).Ids];
        // a sequence has a token, even of a tokenizer that adds none
        if (start.Length == 0)
            start = [_config.PaddingId];
        if (end.Length == 0)
            end = [_config.PaddingId];
        return new EncodedText(
            new TokenIds([.. start, .. end], SecondWindow: start.Length),
            isPair ? first.Length + second.Length - one.Length - other.Length : Math.Max(0, first.Length - one.Length - other.Length),
            first.Length + second.Length == 0,
            isPair);
    }

    /// <summary>
    /// Tokens to keep of the texts of a pair, the longer giving way first; where both are too long, each has half, and the longer one the
    /// token that is left.
    /// </summary>
    private static (int First, int Second) Kept(int first, int second, int room)
    {
        if (first + (long)second <= room)
            return (first, second);
        var shorter = Math.Min(Math.Min(first, second), room / 2);
        return first <= second ? (shorter, room - shorter) : (room - shorter, shorter);
    }

    private string TextOf(int id) => Tokenizer.TextOf(id) is { Length: > 0 } text ? text : $"[{id}]";

    private int[] IdsOf(string text)
    {
        int[] ids = [.. Tokenizer.Encode(text)];
        var wrong = Array.FindIndex(ids, id => (uint)id >= (uint)_config.VocabularySize);
        return wrong < 0 ? ids : throw new InvalidOperationException(
            $"The tokenizer gave id {ids[wrong]}, but the encoder's vocabulary has {_config.VocabularySize} entries: it is not this encoder's.");
    }
}

/// <summary>Which sequences a row becomes.</summary>
internal enum TextWindows
{
    /// <summary>One: the text, or both texts of a pair with special tokens between them.</summary>
    Whole,

    /// <summary>Two: the beginning and the end of a text.</summary>
    BothEnds,

    /// <summary>Two: the texts of a pair.</summary>
    Apart,
}

/// <summary>How text becomes ids of a published tokenizer.</summary>
internal sealed record PublishedTextInputConfig : InputConfig
{
    /// <summary>Longest sequence in tokens, special tokens counted, both texts of a pair together. Within [2, 2²⁰].</summary>
    public required int MaximumTokens { get; init => field = OptionCheck.Range(value, 2, 1 << 20, nameof(MaximumTokens)); }

    /// <summary>Rows of the encoder's token table.</summary>
    public required int VocabularySize { get; init => field = OptionCheck.Range(value, 1, 1 << 24, nameof(VocabularySize)); }

    /// <summary>Id of padding.</summary>
    public int PaddingId { get; init => field = OptionCheck.Range(value, 0, (1 << 24) - 1, nameof(PaddingId)); }

    /// <summary>Whether padding, where a router lets it compete, stands before the tokens: with causal models, whose last token tells most.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool PadsLeft { get; init; }

    /// <summary>How many sequences a row becomes, and which.</summary>
    public TextWindows Windows { get; init => field = OptionCheck.Defined(value, nameof(Windows)); }

    /// <summary>What a linear branch reads of texts.</summary>
    public LinearInput Linear { get; init => field = OptionCheck.Defined(value, nameof(Linear)); }

    /// <summary>Whether that is lower-cased; the tokenizer's own rule is another matter.</summary>
    public bool Lowercase { get; init; } = true;

    /// <summary>The input of an encoder.</summary>
    /// <param name="encoder">The encoder.</param>
    /// <param name="maximumTokens">Longest input; null, or more than the encoder can read, for as much as it can.</param>
    public static PublishedTextInputConfig Of(PublishedConfig encoder, int? maximumTokens = null) => new()
    {
        MaximumTokens = Math.Min(maximumTokens ?? int.MaxValue, encoder.MaximumTokens),
        VocabularySize = encoder.VocabularySize,
        PaddingId = encoder.PaddingId,
        PadsLeft = encoder is CausalConfig,
    };

    /// <summary>The input that a saved model was trained with.</summary>
    /// <param name="tokenizer">The encoder's tokenizer.</param>
    /// <exception cref="InvalidDataException">It is missing, or another, or its special tokens leave no room for text.</exception>
    internal PublishedTextInput Restore(ISubwordTokenizer? tokenizer)
    {
        if (tokenizer is not IPublishedTokenizer published)
            throw new InvalidDataException("The model needs the tokenizer of its published encoder, which is missing.");
        try
        {
            return new PublishedTextInput(this, published);
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException(
                $"The model reads texts of {MaximumTokens} tokens, and its tokenizer's special tokens alone are as many.", e);
        }
    }
}
