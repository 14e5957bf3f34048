using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Text;

namespace Microsoft.ML.Moe.Models;

/// <summary>
/// All that is needed, beside the weights, to rebuild a text encoder, as a trained model's <c>Config.json</c> holds it.
/// </summary>
internal record TextEncoderConfig
{
    /// <summary>Version of this form; a reader refuses newer ones.</summary>
    public const int CurrentVersion = 2;

    /// <summary>Largest file accepted, in bytes.</summary>
    private const int MaximumBytes = 1 << 20;

    private static readonly JsonSerializerOptions Json = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };

    /// <summary>Version of this form.</summary>
    [JsonPropertyOrder(-1)]
    public required int Version { get; init; }

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

    /// <summary>See <see cref="TextEncoderOptions.Width"/>.</summary>
    public required int Width { get; init; }

    /// <summary>See <see cref="TextEncoderOptions.Layers"/>.</summary>
    public required int Layers { get; init; }

    /// <summary>See <see cref="TextEncoderOptions.Heads"/>.</summary>
    public required int Heads { get; init; }

    /// <summary>See <see cref="TextEncoderOptions.MoeEvery"/>.</summary>
    public required int MoeEvery { get; init; }

    /// <summary>See <see cref="TextEncoderOptions.Experts"/>.</summary>
    public required int Experts { get; init; }

    /// <summary>The routing policy.</summary>
    public required RouterSettings Router { get; init; }

    /// <summary>See <see cref="TextEncoderOptions.ExpertWidth"/>.</summary>
    public required int ExpertWidth { get; init; }

    /// <summary>Hidden width of a dense feed-forward network, in the blocks without experts.</summary>
    public required int DenseWidth { get; init; }

    /// <summary>See <see cref="TextEncoderOptions.LoadBalancingCoefficient"/>.</summary>
    public required float LoadBalancingCoefficient { get; init; }

    /// <summary>See <see cref="TextEncoderOptions.RouterZLossCoefficient"/>.</summary>
    public required float RouterZLossCoefficient { get; init; }

    /// <summary>See <see cref="TextEncoderOptions.Dropout"/>.</summary>
    public required float Dropout { get; init; }

    /// <summary>Number of blocks with a MoE layer.</summary>
    [JsonIgnore]
    public int MoeLayers => MoeEvery == 0 ? 0 : Layers / MoeEvery;

    /// <summary>Numbers of the blocks with a MoE layer, from 0.</summary>
    [JsonIgnore]
    public IReadOnlyList<int> MoeBlocks => [.. Enumerable.Range(0, Layers).Where(HasExperts)];

    /// <summary>Whether a block has a MoE layer.</summary>
    /// <param name="block">Number of the block, from 0.</param>
    public bool HasExperts(int block) => MoeEvery > 0 && (block + 1) % MoeEvery == 0;

    /// <summary>The part that an encoder takes from options.</summary>
    /// <param name="options">The options.</param>
    /// <param name="input">The input made from them.</param>
    /// <param name="usesTokenizer">Whether tokens come from a tokenizer.</param>
    public static TextEncoderConfig From(TextEncoderOptions options, TextInput input, bool usesTokenizer) => new()
    {
        Version = CurrentVersion,
        UsesTokenizer = usesTokenizer,
        TableRows = input.TableRows,
        HashBits = options.HashBits,
        Lowercase = options.Lowercase,
        MaximumTokens = options.MaximumTokens,
        Width = options.Width,
        Layers = options.Layers,
        Heads = options.Heads,
        MoeEvery = options.MoeEvery,
        Experts = options.Experts,
        Router = options.RouterSettings,
        ExpertWidth = options.ExpertWidth,
        DenseWidth = (int)Math.Ceiling(options.ExpertsPerToken * options.ExpertWidth),
        LoadBalancingCoefficient = options.LoadBalancingCoefficient,
        RouterZLossCoefficient = options.RouterZLossCoefficient,
        Dropout = options.Dropout,
    };

    /// <summary>This configuration with another router, checked.</summary>
    /// <exception cref="ArgumentException">The router is impossible, or does not fit the number of experts.</exception>
    public T With<T>(RouterSettings router)
        where T : TextEncoderConfig
    {
        var config = (T)this with { Router = router };
        config.ToOptions().Validate();
        return config;
    }

    /// <summary>Sets the options of input and architecture to what this configuration says.</summary>
    public void ApplyTo(TextEncoderOptions options)
    {
        options.Lowercase = Lowercase;
        options.MaximumTokens = MaximumTokens;
        options.HashBits = HashBits;
        options.Width = Width;
        options.Layers = Layers;
        options.Heads = Heads;
        options.MoeEvery = MoeEvery;
        options.Experts = Experts;
        options.Router = Router.Kind;
        options.ExpertsPerToken = Router.ExpertsPerToken;
        options.Alpha = Router.Alpha;
        options.RoutingScope = Router.Scope;
        options.NormalizeWeights = Router.NormalizeWeights;
        options.CapacityFactor = Router.CapacityFactor;
        options.CapacityPriority = Router.CapacityPriority;
        options.MaskPadding = Router.MaskPadding;
        options.ExpertWidth = ExpertWidth;
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

    /// <summary>Writes the file.</summary>
    public void Write(Stream stream) => JsonSerializer.Serialize(stream, this, GetType(), Json);

    /// <summary>Reads and checks the file.</summary>
    /// <exception cref="InvalidDataException">It is not such a file, is newer than this library, or holds impossible values.</exception>
    public static T Read<T>(Stream stream)
        where T : TextEncoderConfig
    {
        var bytes = new byte[MaximumBytes];
        var length = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        if (length == bytes.Length)
            throw new InvalidDataException($"Config.json is larger than {MaximumBytes} bytes: this is not a model of this library.");
        T config;
        try
        {
            config = JsonSerializer.Deserialize<T>(bytes.AsSpan(0, length), Json)
                ?? throw new InvalidDataException("Config.json is empty.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException("Config.json cannot be read; the model file is damaged or newer than this library.", e);
        }

        config.Check();
        return config;
    }

    /// <summary>Checks that no value is impossible.</summary>
    /// <exception cref="InvalidDataException">One is; the message names it.</exception>
    private protected virtual void Check()
    {
        if (Version is < 1 or > CurrentVersion)
            throw new InvalidDataException($"The model has version {Version}; this library reads up to {CurrentVersion}. Update it.");
        Range(TableRows, 1, 1 << 24, nameof(TableRows));
        Range(DenseWidth, 1, 1 << 26, nameof(DenseWidth));
        if (Router is null)
            throw new InvalidDataException("Config.json holds no router.");
        try
        {
            ToOptions().Validate();
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException("Config.json holds an impossible value: " + e.Message, e);
        }
    }

    /// <summary>Checks that a value is possible.</summary>
    private protected static void Range(int value, int low, int high, string name)
    {
        if (value < low || value > high)
            throw new InvalidDataException($"Config.json holds {name} = {value}; possible are {low} to {high}.");
    }

    private TextClassifierOptions ToOptions()
    {
        var options = new TextClassifierOptions
        {
            LoadBalancingCoefficient = LoadBalancingCoefficient,
            RouterZLossCoefficient = RouterZLossCoefficient,
            Dropout = Dropout,
        };
        ApplyTo(options);
        return options;
    }
}
