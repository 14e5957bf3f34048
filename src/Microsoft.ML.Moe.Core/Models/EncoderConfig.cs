using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Models;

/// <summary>What the configurations of all models have in common: version and architecture, as <c>Config.json</c> holds them.</summary>
internal abstract record EncoderConfig
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

    /// <summary>For the reader of JSON.</summary>
    private protected EncoderConfig()
    {
    }

    /// <summary>The part that an encoder takes from options.</summary>
    [SetsRequiredMembers]
    private protected EncoderConfig(EncoderOptions options)
    {
        Version = CurrentVersion;
        Width = options.Width;
        Layers = options.Layers;
        Heads = options.Heads;
        MoeEvery = options.MoeEvery;
        Experts = options.Experts;
        Router = options.RouterSettings;
        ExpertWidth = options.ExpertWidth;
        DenseWidth = (int)Math.Ceiling(options.ExpertsPerToken * options.ExpertWidth);
        LoadBalancingCoefficient = options.LoadBalancingCoefficient;
        RouterZLossCoefficient = options.RouterZLossCoefficient;
        Dropout = options.Dropout;
    }

    /// <summary>Version of this form.</summary>
    [JsonPropertyOrder(-1)]
    public required int Version { get; init; }

    /// <summary>See <see cref="EncoderOptions.Width"/>.</summary>
    public required int Width { get; init; }

    /// <summary>See <see cref="EncoderOptions.Layers"/>.</summary>
    public required int Layers { get; init; }

    /// <summary>See <see cref="EncoderOptions.Heads"/>.</summary>
    public required int Heads { get; init; }

    /// <summary>See <see cref="EncoderOptions.MoeEvery"/>.</summary>
    public required int MoeEvery { get; init; }

    /// <summary>See <see cref="EncoderOptions.Experts"/>.</summary>
    public required int Experts { get; init; }

    /// <summary>The routing policy.</summary>
    public required RouterSettings Router { get; init; }

    /// <summary>See <see cref="EncoderOptions.ExpertWidth"/>.</summary>
    public required int ExpertWidth { get; init; }

    /// <summary>Hidden width of a dense feed-forward network, in the blocks without experts.</summary>
    public required int DenseWidth { get; init; }

    /// <summary>See <see cref="EncoderOptions.LoadBalancingCoefficient"/>.</summary>
    public required float LoadBalancingCoefficient { get; init; }

    /// <summary>See <see cref="EncoderOptions.RouterZLossCoefficient"/>.</summary>
    public required float RouterZLossCoefficient { get; init; }

    /// <summary>See <see cref="EncoderOptions.Dropout"/>.</summary>
    public required float Dropout { get; init; }

    /// <summary>Number of blocks with a MoE layer.</summary>
    [JsonIgnore]
    public int MoeLayers => MoeEvery == 0 ? 0 : Layers / MoeEvery;

    /// <summary>Numbers of the blocks with a MoE layer, from 0.</summary>
    [JsonIgnore]
    public IReadOnlyList<int> MoeBlocks => [.. Enumerable.Range(0, Layers).Where(HasExperts)];

    /// <summary>Multiply-adds that make a token's vector, before the blocks; 0 where it is looked up.</summary>
    [JsonIgnore]
    public virtual double EmbeddingCost => 0;

    /// <summary>Whether a block has a MoE layer.</summary>
    /// <param name="block">Number of the block, from 0.</param>
    public bool HasExperts(int block) => MoeEvery > 0 && (block + 1) % MoeEvery == 0;

    /// <summary>This configuration with another router, checked.</summary>
    /// <exception cref="ArgumentException">The router is impossible, or does not fit the number of experts.</exception>
    public T With<T>(RouterSettings router)
        where T : EncoderConfig
    {
        var config = (T)this with { Router = router };
        config.ToOptions().Validate();
        return config;
    }

    /// <summary>Sets the options of architecture, and of input where they have them, to what this configuration says.</summary>
    public virtual void ApplyTo(EncoderOptions options)
    {
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

    /// <summary>Writes the file.</summary>
    public void Write(Stream stream) => JsonSerializer.Serialize(stream, this, GetType(), Json);

    /// <summary>Reads and checks the file.</summary>
    /// <exception cref="InvalidDataException">It is not such a file, is newer than this library, or holds impossible values.</exception>
    public static T Read<T>(Stream stream)
        where T : EncoderConfig
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

    /// <summary>Options that this configuration could come from, to be checked.</summary>
    private protected abstract EncoderOptions ToOptions();

    /// <summary>Sets options to what this configuration says of the architecture and its losses.</summary>
    private protected T Fill<T>(T options)
        where T : EncoderOptions
    {
        options.LoadBalancingCoefficient = LoadBalancingCoefficient;
        options.RouterZLossCoefficient = RouterZLossCoefficient;
        options.Dropout = Dropout;
        ApplyTo(options);
        return options;
    }
}
