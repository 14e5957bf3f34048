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
[JsonDerivedType(typeof(LeaseLine), "lease")]
[JsonDerivedType(typeof(FinishLine), "finish")]
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

/// <summary>On several machines: a trial is given to a worker, or is no longer a worker's; a lease of it before counts no more.</summary>
/// <param name="Trial">Its number, or <see cref="Confirmation"/>, or <see cref="Finishing"/>.</param>
/// <param name="Lease">Number of the lease, greater than those before where it is given.</param>
/// <param name="Worker">Name of the worker; empty where it is nobody's.</param>
/// <param name="At">Seconds since the sweep began.</param>
internal sealed record LeaseLine(int Trial, long Lease, string Worker, double At) : JournalLine
{
    /// <summary>In place of a trial: the winner with another seed.</summary>
    public const int Confirmation = -1;

    /// <summary>In place of a trial: the model of the sweep.</summary>
    public const int Finishing = -2;
}

/// <summary>On several machines: the sweep has ended, and its model is kept.</summary>
/// <param name="Members">Trials that the model averages.</param>
/// <param name="ModelFile">Name of the model's file, beside the journal; null where there is no model.</param>
/// <param name="Loss">What trials are compared by, of an average.</param>
/// <param name="At">Seconds since the sweep began.</param>
internal sealed record FinishLine(IReadOnlyList<int> Members, string? ModelFile, double? Loss, double At) : JournalLine;
