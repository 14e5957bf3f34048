using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Models;

/// <summary>All that is needed, beside the weights, to rebuild a classifier: <c>Config.json</c> of the model zip.</summary>
internal sealed record TextClassifierConfig
{
    /// <summary>Version of this form; a reader refuses newer ones.</summary>
    public const int CurrentVersion = 1;

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
    public required int Version { get; init; }

    /// <summary>Number of classes, C.</summary>
    public required int Classes { get; init; }

    /// <summary>Whether tokens come from a tokenizer (its files lie beside) and not from hashed words.</summary>
    public required bool UsesTokenizer { get; init; }

    /// <summary>Rows of the token table.</summary>
    public required int TableRows { get; init; }

    /// <summary>Binary logarithm of the hashed rows, without a tokenizer.</summary>
    public required int HashBits { get; init; }

    /// <summary>Binary logarithm of the wide table's rows; 0 without a wide branch.</summary>
    public required int WideBits { get; init; }

    /// <summary>See <see cref="TextClassifierOptions.Lowercase"/>.</summary>
    public required bool Lowercase { get; init; }

    /// <summary>See <see cref="TextClassifierOptions.MaximumTokens"/>.</summary>
    public required int MaximumTokens { get; init; }

    /// <summary>See <see cref="TextClassifierOptions.Width"/>.</summary>
    public required int Width { get; init; }

    /// <summary>See <see cref="TextClassifierOptions.Layers"/>.</summary>
    public required int Layers { get; init; }

    /// <summary>See <see cref="TextClassifierOptions.Heads"/>.</summary>
    public required int Heads { get; init; }

    /// <summary>See <see cref="TextClassifierOptions.MoeEvery"/>.</summary>
    public required int MoeEvery { get; init; }

    /// <summary>See <see cref="TextClassifierOptions.Experts"/>.</summary>
    public required int Experts { get; init; }

    /// <summary>The routing policy.</summary>
    public required RouterSettings Router { get; init; }

    /// <summary>See <see cref="TextClassifierOptions.ExpertWidth"/>.</summary>
    public required int ExpertWidth { get; init; }

    /// <summary>Hidden width of a dense feed-forward network, in the blocks without experts.</summary>
    public required int DenseWidth { get; init; }

    /// <summary>See <see cref="TextClassifierOptions.LoadBalancingCoefficient"/>.</summary>
    public required float LoadBalancingCoefficient { get; init; }

    /// <summary>See <see cref="TextClassifierOptions.RouterZLossCoefficient"/>.</summary>
    public required float RouterZLossCoefficient { get; init; }

    /// <summary>See <see cref="TextClassifierOptions.Dropout"/>.</summary>
    public required float Dropout { get; init; }

    /// <summary>Number of blocks with a MoE layer.</summary>
    [JsonIgnore]
    public int MoeLayers => MoeEvery == 0 ? 0 : Layers / MoeEvery;

    /// <summary>This configuration with another router.</summary>
    /// <exception cref="ArgumentException">The router is impossible, or does not fit the number of experts.</exception>
    public TextClassifierConfig With(RouterSettings router)
    {
        var config = this with { Router = router };
        config.CheckOptions();
        return config;
    }

    /// <summary>Writes the file.</summary>
    public void Write(Stream stream) => JsonSerializer.Serialize(stream, this, Json);

    /// <summary>Reads and checks the file.</summary>
    /// <exception cref="InvalidDataException">It is not such a file, is newer than this library, or holds impossible values.</exception>
    public static TextClassifierConfig Read(Stream stream)
    {
        var bytes = new byte[MaximumBytes];
        var length = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        if (length == bytes.Length)
            throw new InvalidDataException($"Config.json is larger than {MaximumBytes} bytes: this is not a model of this library.");
        TextClassifierConfig config;
        try
        {
            config = JsonSerializer.Deserialize<TextClassifierConfig>(bytes.AsSpan(0, length), Json)
                ?? throw new InvalidDataException("Config.json is empty.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException("Config.json cannot be read; the model file is damaged or newer than this library.", e);
        }

        config.Check();
        return config;
    }

    private void Check()
    {
        if (Version is < 1 or > CurrentVersion)
            throw new InvalidDataException($"The model has version {Version}; this library reads up to {CurrentVersion}. Update it.");
        Range(Classes, 1, TextClassifierOptions.MaximumClasses, nameof(Classes));
        Range(TableRows, 1, 1 << 24, nameof(TableRows));
        Range(WideBits, 0, 24, nameof(WideBits));
        Range(DenseWidth, 1, 1 << 26, nameof(DenseWidth));
        if (Router is null)
            throw new InvalidDataException("Config.json holds no router.");
        try
        {
            CheckOptions();
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException("Config.json holds an impossible value: " + e.Message, e);
        }

        static void Range(int value, int low, int high, string name)
        {
            if (value < low || value > high)
                throw new InvalidDataException($"Config.json holds {name} = {value}; possible are {low} to {high}.");
        }
    }

    private void CheckOptions() =>
        new TextClassifierOptions
        {
            Lowercase = Lowercase,
            MaximumTokens = MaximumTokens,
            HashBits = HashBits,
            Width = Width,
            Layers = Layers,
            Heads = Heads,
            MoeEvery = MoeEvery,
            Experts = Experts,
            Router = Router.Kind,
            ExpertsPerToken = Router.ExpertsPerToken,
            Alpha = Router.Alpha,
            RoutingScope = Router.Scope,
            NormalizeWeights = Router.NormalizeWeights,
            ExpertWidth = ExpertWidth,
            LoadBalancingCoefficient = LoadBalancingCoefficient,
            RouterZLossCoefficient = RouterZLossCoefficient,
            Dropout = Dropout,
        }.Validate();
}
