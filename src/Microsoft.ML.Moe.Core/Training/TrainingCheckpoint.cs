using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.IO.Compression;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// The state of a training in a zip file of its own: <c>Progress.json</c>, and <c>State.safetensors</c> with the parameters, those of
/// the best epoch and the optimiser's moments. A file is complete or not there at all.
/// </summary>
/// <param name="path">The file.</param>
/// <param name="training">Tells this training from others: a digest of options and rows.</param>
internal sealed class TrainingCheckpoint(string path, string training)
{
    private const int CurrentVersion = 2;
    private const int MaximumJsonBytes = 1 << 16;
    private const string ProgressEntry = "Progress.json";
    private const string StateEntry = "State.safetensors";
    private const string BestPrefix = "best/";
    private const string OptimizerPrefix = "optimizer/";
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);
    private static readonly JsonSerializerOptions Json = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectRequiredConstructorParameters = true,
        RespectNullableAnnotations = true,
    };

    private readonly string _path = Path.GetFullPath(path);
    private long _savedAt = Stopwatch.GetTimestamp();

    /// <summary>Whether the last saving is long enough ago.</summary>
    public bool IsDue => Stopwatch.GetElapsedTime(_savedAt) >= Interval;

    /// <summary>Writes the state.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Save(TrainingProgress progress, IReadOnlyList<Parameter> parameters, Optimizer optimizer, ParameterSnapshot best)
    {
        // read one at a time as they are written: a second copy of all of them would be larger than the model
        SavedTensor[] state =
        [
            .. parameters.Select(p => SavedTensor.Of(p)),
            .. best.Export().Select(v => SavedTensor.Of(v) with { Name = BestPrefix + v.Name }),
            .. optimizer.SaveState().Select(v => v with { Name = OptimizerPrefix + v.Name }),
        ];
        AtomicFile.Write(_path, stream =>
        {
            using var zip = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true);
            using (var entry = zip.CreateEntry(ProgressEntry).Open())
                JsonSerializer.Serialize(entry, new Content(CurrentVersion, training, progress), Json);
            using (var entry = zip.CreateEntry(StateEntry, CompressionLevel.NoCompression).Open())
                SafeTensorsWriter.Write(entry, state);
        });
        _savedAt = Stopwatch.GetTimestamp();
    }

    /// <summary>Takes up the state, if there is a file.</summary>
    /// <returns>Whether there was one.</returns>
    /// <exception cref="InvalidDataException">The file is damaged or belongs to another training; the message says what to do.</exception>
    public bool TryRestore(
        IReadOnlyList<Parameter> parameters,
        Optimizer optimizer,
        ParameterSnapshot best,
        [NotNullWhen(true)] out TrainingProgress? progress)
    {
        progress = null;
        if (!File.Exists(_path))
            return false;
        try
        {
            using var zip = ZipFile.OpenRead(_path);
            var content = ReadContent(zip);
            if (content.Version == CurrentVersion && content.Training == training)
            {
                using var stream = Entry(zip, StateEntry).Open();
                Put(parameters, best, optimizer, SafeTensors.Read(stream).TakeAll());
                progress = content.Progress;
                return true;
            }
        }
        catch (Exception e) when (e is JsonException or ArgumentException or InvalidDataException)
        {
            throw Unusable("is damaged", e);
        }

        throw Unusable("belongs to a training with other options or rows, or of another version of this library");
    }

    /// <summary>Deletes the file.</summary>
    public void Delete() => File.Delete(_path);

    private static void Put(
        IReadOnlyList<Parameter> parameters, ParameterSnapshot best, Optimizer optimizer, IReadOnlyDictionary<string, NamedValues> state)
    {
        var values = parameters.Select(p => Of(p, p.Name)).ToList();
        var bestValues = state.Keys.Any(k => k.StartsWith(BestPrefix, StringComparison.Ordinal))
            ? parameters.Select(p => Of(p, BestPrefix + p.Name)).ToList()
            : null;
        optimizer.SetState(state.Where(v => v.Key.StartsWith(OptimizerPrefix, StringComparison.Ordinal))
            .ToDictionary(v => v.Key[OptimizerPrefix.Length..], v => v.Value));
        foreach (var (parameter, value) in parameters.Zip(values))
            parameter.Value.CopyFrom(value);
        if (bestValues is not null)
            best.Import(bestValues);

        float[] Of(Parameter parameter, string name) =>
            state.TryGetValue(name, out var found) && parameter.Value.Shape.SequenceEqual(found.Shape)
                ? found.Values
                : throw new ArgumentException($"no values for {name}", nameof(state));
    }

    private static Content ReadContent(ZipArchive zip)
    {
        var entry = Entry(zip, ProgressEntry);
        using var stream = entry.Open();
        var bytes = new byte[MaximumJsonBytes];
        var length = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        if (length == bytes.Length)
            throw new InvalidDataException($"{ProgressEntry} is too long");
        return JsonSerializer.Deserialize<Content>(bytes.AsSpan(0, length), Json) ?? throw new JsonException("null");
    }

    private static ZipArchiveEntry Entry(ZipArchive zip, string name) =>
        zip.GetEntry(name) ?? throw new InvalidDataException($"{name} is missing");

    private InvalidDataException Unusable(string why, Exception? cause = null) =>
        new($"The checkpoint {_path} {why}. Delete it to train from the beginning, or name another file.", cause);

    private sealed record Content(int Version, string Training, TrainingProgress Progress);
}

/// <summary>How far a training has come.</summary>
internal sealed record TrainingProgress
{
    /// <summary>Epoch under way, from 1; one more than there are when all are done.</summary>
    public int Epoch { get; init; } = 1;

    /// <summary>Steps taken in it.</summary>
    public int Step { get; set; }

    /// <summary>Sum of these steps' losses.</summary>
    public double LossSum { get; set; }

    /// <summary>The least <see cref="ValidationResult.Criterion"/> so far.</summary>
    public double Best { get; set; } = double.PositiveInfinity;

    /// <summary>Whether that is of the epoch under way.</summary>
    public bool IsBestOfEpoch { get; set; }

    /// <summary>Step of the epoch after which the model was evaluated last; 0 for none.</summary>
    public int EvaluatedStep { get; set; }

    /// <summary>See <see cref="ITrainingObjective.EpochState"/>; null before the epoch has begun.</summary>
    public IReadOnlyList<double>? EpochState { get; set; }

    /// <summary>Epochs since then.</summary>
    public int EpochsSinceBest { get; init; }

    /// <summary>Whether it has gone without improvement for as long as it was allowed to.</summary>
    public bool HasConverged { get; init; }
}
