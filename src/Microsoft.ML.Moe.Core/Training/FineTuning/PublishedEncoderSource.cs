using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Embeddings;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tokenizers;

namespace Microsoft.ML.Moe.Training;

/// <summary>A published encoder to train with, and its tokenizer.</summary>
/// <param name="Folder">The encoder's files.</param>
/// <param name="Tokenizer">Its tokenizer.</param>
internal sealed record PublishedEncoderSource(PublishedFolder Folder, PublishedTokenizer Tokenizer)
{
    /// <summary>The architecture.</summary>
    public PublishedConfig Encoder => Folder.Encoder;

    /// <summary>Its tokenizer, as a model zip carries it.</summary>
    public HuggingFaceTokenizer HuggingFaceTokenizer => Tokenizer.Inner;

    /// <summary>The encoder's <c>config.json</c>, as it is.</summary>
    public byte[] ConfigFile { get; init; } = [];

    /// <summary>What it is called, and its licence; null where nothing shall tell.</summary>
    public BaseModel? BaseModel { get; init; }

    /// <summary>Longest sequence that it is made for, in tokens.</summary>
    public int MaximumTokens { get => Math.Min(field, Encoder.MaximumTokens); init; } = int.MaxValue;

    /// <summary>Makes a mixture of it; null leaves it dense.</summary>
    public Upcycling? Upcycling { get; init; }

    /// <summary>Opens an encoder.</summary>
    /// <param name="encoder">Where it is.</param>
    /// <param name="upcycling">Makes a mixture of it; null leaves it dense.</param>
    /// <exception cref="IOException">Files are missing; the message says which.</exception>
    /// <exception cref="InvalidDataException">Files are damaged, or of no architecture or tokenizer that is known here.</exception>
    public static PublishedEncoderSource Open(PublishedEncoder encoder, Upcycling? upcycling = null)
    {
        var path = encoder.ResolveFolder();
        var sentence = SentenceFolder.Open(path);
        if (PublishedFolder.Open(sentence.EncoderPath).Encoder is VisionConfig vision)
        {
            throw new InvalidDataException(
                $"{sentence.EncoderPath} has an encoder of images ({vision.Architecture}), which reads no texts: classify images with "
                + "MoeImageClassifier.");
        }

        var tokenizer = PublishedTokenizer.Load(sentence.EncoderPath);
        return new PublishedEncoderSource(PublishedFolder.Open(sentence.EncoderPath), tokenizer)
        {
            ConfigFile = File.ReadAllBytes(Path.Combine(sentence.EncoderPath, EncoderFiles.ConfigName)),
            BaseModel = BaseModel.Of(encoder.Name, path),
            MaximumTokens = sentence.MaximumTokens ?? tokenizer.MaximumLength ?? int.MaxValue,
            Upcycling = upcycling,
        };
    }

    /// <summary>What encodes texts for it.</summary>
    /// <param name="maximumTokens">Longest sequence; null for as much as the encoder reads.</param>
    /// <param name="linear">What a linear branch reads.</param>
    /// <param name="windows">Sequences of a row.</param>
    /// <exception cref="InvalidDataException">So short a text has no room beside special tokens.</exception>
    public PublishedTextInput CreateInput(int? maximumTokens, LinearInput linear, TextWindows windows = TextWindows.Whole) =>
        Folder.CreateInput(Tokenizer, maximumTokens ?? MaximumTokens, linear, windows);

    /// <summary>A model of the encoder under a new head. It is fine-tuned without dropout in its blocks.</summary>
    /// <param name="engine">Where it shall live.</param>
    /// <param name="input">Encodes texts for it.</param>
    /// <param name="head">The head.</param>
    /// <param name="seed">Of what is random in a mixture.</param>
    /// <param name="change">Changes the architecture in what its weights do not tell; null leaves it.</param>
    public Model<EncodedText> CreateModel(
        Engine engine, PublishedTextInput input, HeadConfig head, int seed, Func<PublishedConfig, PublishedConfig>? change = null) => Folder.Load(
        engine,
        input,
        head,
        seed,
        encoder => (change?.Invoke(encoder) ?? encoder) with { Dropout = 0f, AttentionDropout = 0f },
        Upcycling,
        BaseModel);
}
