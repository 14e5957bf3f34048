using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Models;

/// <summary>
/// All that is needed, beside the weights, to rebuild a model: <c>Config.json</c> of the model zip. Input, encoder and head can be
/// combined as they like, if the head knows what the input gives.
/// </summary>
internal sealed record ModelConfig
{
    /// <summary>Version of this form; a reader refuses newer ones.</summary>
    public const int CurrentVersion = 3;

    /// <summary>What <c>model_type</c> says of models of this form.</summary>
    private const string Moe = "moe";

    /// <summary>Largest file accepted, in bytes.</summary>
    public const int MaximumBytes = 1 << 28;

    /// <summary>What the file of most models fits in; features of very many slots take more.</summary>
    private const int UsualBytes = 1 << 20;

    /// <summary>Version of this form.</summary>
    public int Version { get; init; } = CurrentVersion;

    /// <summary>Which architecture it is, by the name under which other tools look for it.</summary>
    [JsonPropertyName("model_type")]
    public string ModelType { get; init; } = Moe;

    /// <summary>What rows are, and how tokens are made of them.</summary>
    public required InputConfig Input { get; init; }

    /// <summary>The transformer blocks.</summary>
    public required EncoderConfig Encoder { get; init; }

    /// <summary>What the model tells of a row.</summary>
    public required HeadConfig Head { get; init; }

    /// <summary>What counts beside encoder and head; null for nothing.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public LinearBranchConfig? Linear { get; init; }

    /// <summary>Heads of further networks, of the same input and architecture, whose outputs are averaged with the model's; null for none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<HeadConfig>? FurtherHeads { get; init; }

    /// <summary>The published model that it was made from; null for none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public BaseModel? BaseModel { get; init; }

    /// <summary>Adapters beside the weights; null for none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public LowRankAdaptation? Adaptation { get; init; }

    /// <summary>Numbers of the blocks with a MoE layer, from 0: the encoder's, and after those a decoder's.</summary>
    [JsonIgnore]
    public IReadOnlyList<int> MoeBlocks => [.. Encoder.MoeBlocks, .. Head.MoeBlocks(Encoder)];

    /// <summary>Throws where there is nothing to route.</summary>
    /// <exception cref="InvalidOperationException">The model has no MoE layers.</exception>
    public void CheckRoutes()
    {
        if (MoeBlocks.Count == 0 || Encoder.Router.Kind == Routing.RouterKind.Soft)
            Encoder.CheckRoutes();
    }

    /// <summary>Writes the file.</summary>
    public void Write(Stream stream) => JsonSerializer.Serialize(stream, this, ModelConfigJson.Model);

    /// <summary>Reads and checks the file, of this version or an earlier one.</summary>
    /// <exception cref="InvalidDataException">It is not such a file, is newer than this library, or holds impossible values.</exception>
    public static ModelConfig Read(Stream stream)
    {
        var bytes = ReadAll(stream);
        try
        {
            var json = JsonNode.Parse(bytes) as JsonObject ?? throw new JsonException("No object.");
            CheckVersion(json);
            var config = ModelConfigUpgrade.Apply(json).Deserialize(ModelConfigJson.Model) ?? throw new JsonException("null");
            config.Check();
            return config;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or NotSupportedException)
        {
            throw new InvalidDataException("Config.json cannot be read; the model file is damaged or newer than this library.", e);
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException("Config.json holds an impossible value: " + e.Message, e);
        }
    }

    private static ReadOnlySpan<byte> ReadAll(Stream stream)
    {
        var bytes = new byte[UsualBytes];
        for (var length = 0; ;)
        {
            length += stream.ReadAtLeast(bytes.AsSpan(length), bytes.Length - length, throwOnEndOfStream: false);
            if (length < bytes.Length)
                return bytes.AsSpan(0, length);
            if (length >= MaximumBytes)
                throw new InvalidDataException($"Config.json is larger than {MaximumBytes} bytes: this is not a model of this library.");
            Array.Resize(ref bytes, 2 * length);
        }
    }

    private static void CheckVersion(JsonObject json)
    {
        var version = json["version"]?.GetValue<int>() ?? throw new JsonException("No version.");
        if (version is < 1 or > CurrentVersion)
            throw new InvalidDataException($"The model has version {version}; this library reads up to {CurrentVersion}. Update it.");
    }

    private void Check()
    {
        if (ModelType != Moe)
            throw new ArgumentException($"The model is of type '{ModelType}', not '{Moe}'.", nameof(ModelType));
        Encoder.Check();
        Input.Check();
        if (Input is PublishedTextInputConfig != (Encoder is PublishedConfig and not VisionConfig))
            throw new ArgumentException("A published encoder and the ids of its tokenizer go together.", nameof(Encoder));
        if (Input is PublishedImageInputConfig != Encoder is VisionConfig)
            throw new ArgumentException("A published encoder of images and its patches go together.", nameof(Encoder));
        if ((Input, Encoder) is (PublishedImageInputConfig images, VisionConfig vision))
            images.CheckFits(vision);
        if (Input is ImageInputConfig { Stem: { } stem } && stem.Widths[^1] != Encoder.Width)
            throw new ArgumentException("A stem gives tokens of another width than the encoder's.", nameof(Encoder));
        if (Input is FeatureInputConfig != Encoder is FeatureEncoderConfig)
            throw new ArgumentException("Features and blocks without attention go together.", nameof(Encoder));
        if (Encoder.Router.Kind == Routing.RouterKind.Soft && Encoder.GetType() != typeof(EncoderConfig))
            throw new ArgumentException($"{Routing.Router.SoftChoosesNothing} Only encoders of this library's own have it.", nameof(Encoder));
        if (Head is DecoderHeadConfig && Encoder is not EncoderDecoderConfig)
            throw new ArgumentException("Only an encoder–decoder has a decoder.", nameof(Head));
        if (!HeadReadsInput)
            throw new ArgumentException("The head does not read rows of as many sequences as the input gives.", nameof(Head));
        if (FurtherHeads is not { } heads)
            return;
        OptionCheck.Range(heads.Count, 1, FeatureModelConfig.MaximumNetworks - 1, nameof(FurtherHeads));
        if (Input is not FeatureInputConfig)
            throw new ArgumentException("Only models of features have further networks.", nameof(FurtherHeads));
        foreach (var head in heads)
            if (head is null || head.GetType() != Head.GetType() || head is MemberClassesHeadConfig { Classes: var classes } && classes != ((MemberClassesHeadConfig)Head).Classes
                || !(this with { Head = head }).HeadReadsInput)
                throw new ArgumentException("A further network tells something else than the first.", nameof(FurtherHeads));
    }

    /// <summary>Whether the head reads the sequences that a row becomes.</summary>
    private bool HeadReadsInput => (Head, Input) switch
    {
        (MemberClassesHeadConfig { Members: var members }, _) => Input is FeatureInputConfig features && features.Members == members,
        (BinaryHeadConfig { Members: var members }, _) => Input is FeatureInputConfig features && features.Members == members,
        (ValueHeadConfig { Members: var members }, _) => Input is FeatureInputConfig features && features.Members == members,
        (_, FeatureInputConfig) => false,
        (PairClassesHeadConfig pair, PublishedTextInputConfig text) => text.Windows == TextWindows.Apart
            && text.Linear is (LinearInput.Words or LinearInput.WordsAndCharacters)
            && pair.VocabularySize >= text.VocabularySize,
        (PairClassesHeadConfig, _) => false,
        (PooledClassesHeadConfig { ReadsFirstToken: true, Windows: not 1 }, _) => false,
        (PooledClassesHeadConfig pooled, PublishedTextInputConfig text) => pooled.Windows == (text.Windows == TextWindows.Whole ? 1 : 2),
        (PooledClassesHeadConfig pooled, _) => pooled.Windows == 1,
        (_, PublishedTextInputConfig text) => text.Windows == TextWindows.Whole,
        _ => true,
    };
}
