using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Microsoft.ML.Moe.Sweeps.Journal;

/// <summary>A line of a sweep's journal, a JSON object.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(SweepLine), "sweep")]
[JsonDerivedType(typeof(BeginLine), "begin")]
[JsonDerivedType(typeof(EpochLine), "epoch")]
[JsonDerivedType(typeof(EndLine), "end")]
[JsonDerivedType(typeof(ConfirmationLine), "confirmation")]
internal abstract record JournalLine
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        RespectNullableAnnotations = true,
        Converters = { new JsonStringEnumConverter() },
        MaxDepth = 8,
    };

    /// <summary>The line with its end.</summary>
    public byte[] ToBytes() => [.. JsonSerializer.SerializeToUtf8Bytes(this, Json), (byte)'\n'];

    /// <summary>Reads a line.</summary>
    /// <exception cref="JsonException">It is none.</exception>
    public static JournalLine Parse(ReadOnlySpan<byte> line)
    {
        try
        {
            return JsonSerializer.Deserialize<JournalLine>(line, Json) ?? throw new JsonException("null");
        }
        catch (NotSupportedException e)
        {
            throw new JsonException("The object is of no known kind.", e);
        }
    }
}

/// <summary>The first line: which sweep it is.</summary>
/// <param name="Version">Version of the journal's form.</param>
/// <param name="Seed">The sweep's seed.</param>
/// <param name="Metric">By what trials are compared.</param>
/// <param name="Space">The search space in words.</param>
/// <param name="Rows">Digest of the rows' number and labels.</param>
internal sealed record SweepLine(int Version, int Seed, SweepMetric Metric, string Space, string Rows) : JournalLine
{
    public const int CurrentVersion = 1;
}

/// <summary>A trial begins; what was said of it before does not count.</summary>
/// <param name="Trial">Its number.</param>
/// <param name="Options">What it changes.</param>
/// <param name="At">Seconds since the sweep began.</param>
internal sealed record BeginLine(int Trial, IReadOnlyDictionary<string, JsonNode?> Options, double At) : JournalLine;

/// <summary>An epoch of a trial has ended.</summary>
internal sealed record EpochLine(int Trial, int Epoch, int Epochs, double TrainingLoss, double? Loss, double At) : JournalLine;

/// <summary>A trial has ended.</summary>
internal sealed record EndLine(int Trial, SweepVerdict Verdict, double Seconds, long Memory, double At) : JournalLine
{
    public double? Loss { get; init; }

    public IReadOnlyDictionary<string, double>? Metrics { get; init; }

    public string? Error { get; init; }
}

/// <summary>The winner was fitted with another seed.</summary>
internal sealed record ConfirmationLine(int Trial, int Seed, double Loss, double Difference, double StandardError, double At) : JournalLine;
