using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models.Embeddings;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tokenizers;

namespace Microsoft.ML.Moe.Models;

/// <summary>
/// What models that write text and begin with random weights have in common. The architecture is one that is published, in the form of its
/// <c>config.json</c>; every value is checked when it is set.
/// </summary>
public abstract record FromScratchConfig
{
    private protected FromScratchConfig()
    {
    }

    /// <summary>Width of token vectors, D. Within [8, 32768]. Default 128.</summary>
    public int Width { get; init => field = OptionCheck.Range(value, 8, 32768, nameof(Width)); } = 128;

    /// <summary>Number of transformer blocks; of an encoder–decoder, of either stack. Within [1, 512]. Default 4.</summary>
    public int Layers { get; init => field = OptionCheck.Range(value, 1, 512, nameof(Layers)); } = 4;

    /// <summary>Attention heads, H; divides <see cref="Width"/>. Default 4.</summary>
    public int Heads { get; init => field = OptionCheck.Range(value, 1, 4096, nameof(Heads)); } = 4;

    /// <summary>Experts in a MoE layer, N. Within [1, 1024]. Default 8.</summary>
    public int Experts { get; init => field = OptionCheck.Range(value, 1, 1024, nameof(Experts)); } = 8;

    /// <summary>Hidden width of one expert, F. Within [8, 65536]. Default 256.</summary>
    public int ExpertWidth { get; init => field = OptionCheck.Range(value, 8, 65536, nameof(ExpertWidth)); } = 256;

    /// <summary>Coefficient of the load-balancing loss (Fedus et al. 2021), within [0, 1000]. Default 0.01.</summary>
    public float LoadBalancingCoefficient
    {
        get;
        init => field = OptionCheck.Range(value, 0f, 1000f, nameof(LoadBalancingCoefficient));
    } = 0.01f;

    /// <summary>Dropout rate while training, within [0, 1). Default 0: of more text than it can learn a model learns nothing by heart.</summary>
    public float Dropout { get; init => field = OptionCheck.Rate(value, nameof(Dropout)); }

    /// <summary>Whether the token table scores the next token too. Default true.</summary>
    public bool TiesTables { get; init; } = true;

    /// <summary>
    /// Rows of the token table; null, the default, for as many as the tokenizer has ids. At least as many, up to 16777216.
    /// </summary>
    public int? VocabularySize { get; init => field = OptionCheck.Range(value, 1, 1 << 24, nameof(VocabularySize)); }

    /// <summary>Creates a model.</summary>
    /// <param name="engine">Where it shall live.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="seed">Of the weights.</param>
    /// <exception cref="ArgumentException">Values contradict each other or the tokenizer; the message names them.</exception>
    public Model<EncodedText> Create(Engine engine, HuggingFaceTokenizer tokenizer, int seed = 0) =>
        CreateGenerator(engine, tokenizer, seed).Model;

    /// <summary>
    /// Writes a model of this configuration, trained perhaps, as a folder that Hugging Face's transformers loads: <c>config.json</c>,
    /// <c>model.safetensors</c>, <c>generation_config.json</c> and the tokenizer's files. A router that only this library has is not in it:
    /// those who load the folder have Token Choice with as many experts.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="tokenizer">The tokenizer that it was created with.</param>
    /// <param name="folder">Path of the folder; made if it is not there. Files of the same names are replaced.</param>
    /// <exception cref="ArgumentException">The model is of another configuration or tokenizer.</exception>
    /// <exception cref="IOException">A file cannot be written.</exception>
    public void SaveHuggingFace(Model<EncodedText> model, HuggingFaceTokenizer tokenizer, string folder)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentException.ThrowIfNullOrEmpty(folder);
        var (generator, encoder) = Describe(tokenizer);
        if (encoder with { Router = model.Config.Encoder.Router } != model.Config.Encoder)
            throw new ArgumentException("The model was not created with this configuration and tokenizer.", nameof(model));
        GeneratorFolderWriter.Write(generator, model, folder);
    }

    /// <summary>Creates a model, and what turns texts into its prompts.</summary>
    /// <param name="engine">Where it shall live.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="seed">Of the weights.</param>
    /// <exception cref="ArgumentException">Values contradict each other or the tokenizer; the message names them.</exception>
    internal (TextGenerator Generator, Model<EncodedText> Model) CreateGenerator(Engine engine, HuggingFaceTokenizer tokenizer, int seed)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(tokenizer);
        var (generator, encoder) = Describe(tokenizer);
        var input = new PublishedTextInput(PublishedTextInputConfig.Of(encoder), generator.Files.Tokenizer);
        var config = new ModelConfig { Input = input.Config, Encoder = encoder, Head = encoder.WritingHead! };
        var store = new ParameterStore(engine, seed, InitialWeights.Of(encoder)) { HasDenseTables = encoder.HasDenseTables };
        return (generator, new Model<EncodedText>(engine, config, input, store));
    }

    /// <summary><c>config.json</c>.</summary>
    private protected abstract JsonObject ToJson(HuggingFaceTokenizer tokenizer);

    /// <summary>The architecture with what <c>config.json</c> does not tell.</summary>
    private protected abstract PublishedConfig Change(PublishedConfig read);

    /// <summary>Rows of the token table.</summary>
    /// <exception cref="ArgumentException">The tokenizer has more ids.</exception>
    private protected int VocabularySizeFor(HuggingFaceTokenizer tokenizer) => VocabularySize is not { } size ? tokenizer.VocabularySize
        : size >= tokenizer.VocabularySize ? size
        : throw new ArgumentException($"{nameof(VocabularySize)} is {size}, but the tokenizer has {tokenizer.VocabularySize} ids.", nameof(tokenizer));

    /// <summary>An id, or null where it is negative, which stands for none.</summary>
    private protected static JsonNode? IdOrNull(int? id) => id is >= 0 ? JsonValue.Create(id.Value) : null;

    private (TextGenerator Generator, PublishedConfig Encoder) Describe(HuggingFaceTokenizer tokenizer)
    {
        Check();
        var json = JsonText.ToBytes(ToJson(tokenizer));
        var settings = Settings(json);
        var encoder = (PublishedConfig)Change(Read(settings)).Check();
        return (TextGenerator.Of(new EncoderFiles(json, new PublishedTokenizer(tokenizer)), settings, encoder.IsEncoderDecoder), encoder);
    }

    private void Check()
    {
        if (Width % Heads != 0)
            throw new ArgumentException($"{nameof(Width)} ({Width}) is not divisible by {nameof(Heads)} ({Heads}).", nameof(Heads));
    }

    private static PublishedSettings Settings(byte[] json)
    {
        using var document = JsonDocument.Parse(json);
        return new PublishedSettings(document.RootElement.Clone(), "The model's configuration");
    }

    private static PublishedConfig Read(PublishedSettings settings)
    {
        try
        {
            return PublishedArchitectures.Read(settings);
        }
        catch (InvalidDataException e)
        {
            throw new ArgumentException(e.Message, e);
        }
    }
}
