using System.Diagnostics.CodeAnalysis;
using Microsoft.ML.Moe.Text;

namespace Microsoft.ML.Moe.Models;

/// <summary>
/// All that is needed, beside the weights, to rebuild a text encoder, as a trained model's <c>Config.json</c> holds it.
/// </summary>
internal record TextEncoderConfig : EncoderConfig
{
    /// <summary>For the reader of JSON.</summary>
    public TextEncoderConfig()
    {
    }

    [SetsRequiredMembers]
    private TextEncoderConfig(TextEncoderOptions options, TextInput input, bool usesTokenizer)
        : base(options)
    {
        UsesTokenizer = usesTokenizer;
        TableRows = input.TableRows;
        HashBits = options.HashBits;
        Lowercase = options.Lowercase;
        MaximumTokens = options.MaximumTokens;
    }

    /// <summary>Whether tokens come from a tokenizer (its files lie beside) and not from hashed words.</summary>
    public required bool UsesTokenizer { get; init; }

    /// <summary>Rows of the token table.</summary>
    public required int TableRows { get; init; }

    /// <summary>Binary logarithm of the hashed rows, without a tokenizer.</summary>
    public required int HashBits { get; init; }

    /// <summary>See <see cref="TextEncoderOptions.Lowercase"/>.</summary>
    public required bool Lowercase { get; init; }

    /// <summary>See <see cref="TextEncoderOptions.MaximumTokens"/>.</summary>
    public required int MaximumTokens { get; init; }

    /// <summary>The part that an encoder takes from options.</summary>
    /// <param name="options">The options.</param>
    /// <param name="input">The input made from them.</param>
    /// <param name="usesTokenizer">Whether tokens come from a tokenizer.</param>
    public static TextEncoderConfig From(TextEncoderOptions options, TextInput input, bool usesTokenizer) =>
        new(options, input, usesTokenizer);

    /// <inheritdoc/>
    public override void ApplyTo(EncoderOptions options)
    {
        base.ApplyTo(options);
        var text = (TextEncoderOptions)options;
        text.Lowercase = Lowercase;
        text.MaximumTokens = MaximumTokens;
        text.HashBits = HashBits;
    }

    /// <summary>The input that the model was trained with.</summary>
    /// <param name="tokenizer">The tokenizer that it was trained with, if any.</param>
    /// <exception cref="InvalidDataException">The tokenizer is missing, or not the model's.</exception>
    public TextInput CreateInput(ISubwordTokenizer? tokenizer)
    {
        if (UsesTokenizer != tokenizer is not null)
            throw new InvalidDataException(
                UsesTokenizer ? "The model was trained with a tokenizer, which is missing." : "The model uses no tokenizer.");
        var input = TextInput.Create(Lowercase, MaximumTokens, HashBits, tokenizer);
        return input.TableRows == TableRows
            ? input
            : throw new InvalidDataException(
                $"The model's token table has {TableRows} rows, its input needs {input.TableRows}: not the same vocabulary.");
    }

    private protected override void Check()
    {
        base.Check();
        Range(TableRows, 1, 1 << 24, nameof(TableRows));
    }

    private protected override EncoderOptions ToOptions() => Fill(new TextClassifierOptions());
}
