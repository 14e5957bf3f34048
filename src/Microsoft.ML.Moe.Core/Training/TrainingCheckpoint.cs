using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// The state of a training in a zip file of its own: <c>Progress.json</c>, <c>State.safetensors</c> with the parameters, those of the best
/// epoch, their averages and the optimiser's moments, and <c>Digest.txt</c>, the SHA-256 of both. A file is complete or not there at all. That of a finished
/// training has the parameters alone: it stays, so that nothing is lost before the model is saved, until another training takes its place.
/// </summary>
/// <param name="path">The file.</param>
/// <param name="training">Tells this training from others: a digest of options and rows.</param>
internal sealed class TrainingCheckpoint(string path, string training)
{
    private const int CurrentVersion = 2;
    private const int MaximumJsonBytes = 1 << 16;
    private const string ProgressEntry = "Progress.json";
    private const string StateEntry = "State.safetensors";
    private const string DigestEntry = "Digest.txt";
    private const string BestPrefix = "best/";
    private const string AveragePrefix = "average/";
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

    /// <summary>Tries whether the file can be written, before there is anything to write.</summary>
    /// <param name="path">The file; null for none.</param>
    /// <param name="ranks">Processes that train together, of which the first alone writes; null for this one.</param>
    /// <exception cref="IOException">It cannot be written; the message names the option and the file.</exception>
    public static void Try(string? path, DataParallel? ranks)
    {
        if (path is null || ranks is { IsFirst: false })
            return;
        try
        {
            AtomicFile.Try(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"{nameof(TrainingConfig.CheckpointFile)} cannot be kept: {e.Message}", e);
        }
    }

    /// <summary>The file of a further training beside the one that a caller has named.</summary>
    /// <param name="path">The named file; null for none.</param>
    /// <param name="name">Tells the training from the others of the same file.</param>
    [return: NotNullIfNotNull(nameof(path))]
    public static string? Beside(string? path, string name) => path is null ? null : $"{path}.{name}";

    /// <summary>Deletes a file, and those that <see cref="Beside"/> names for it.</summary>
    /// <param name="path">The file, which need not be there; its folder must.</param>
    public static void Delete(string path)
    {
        File.Delete(path);
        path = Path.GetFullPath(path);
        foreach (var beside in Directory.EnumerateFiles(Path.GetDirectoryName(path)!, Beside(Path.GetFileName(path), "*")))
            File.Delete(beside);
    }

    /// <summary>Writes the state.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be written.</exception>
    public void Save(
        TrainingProgress progress, IReadOnlyList<Parameter> parameters, Optimizer optimizer, ParameterSnapshot best, WeightAverage? average)
    {
        // read one at a time as they are written: a second copy of all of them would be larger than the model
        SavedTensor[] state =
        [
            .. parameters.Select(p => SavedTensor.Of(p)),
            .. best.Export().Select(v => SavedTensor.Of(v) with { Name = BestPrefix + v.Name }),
            .. (average?.Export() ?? []).Select(v => SavedTensor.Of(v) with { Name = AveragePrefix + v.Name }),
            .. optimizer.SaveState().Select(v => v with { Name = OptimizerPrefix + v.Name }),
        ];
        Write(new Content(CurrentVersion, training, IsFinished: false, progress), state);
    }

    /// <summary>Writes the end of a training.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be written.</exception>
    public void SaveFinished(TrainingProgress progress, IReadOnlyList<Parameter> parameters) =>
        Write(new Content(CurrentVersion, training, IsFinished: true, progress), [.. parameters.Select(p => SavedTensor.Of(p))]);

    /// <summary>Takes up the state, if there is a file. One that another training has finished with is passed over.</summary>
    /// <param name="epochs">Epochs of the training.</param>
    /// <param name="stepsOfEpoch">Steps of each.</param>
    /// <param name="parameters">Receive their values.</param>
    /// <param name="optimizer">Receives its moments.</param>
    /// <param name="best">Receives the parameters of the best epoch.</param>
    /// <param name="progress">How far the training has come.</param>
    /// <param name="isFinished">Whether it had ended.</param>
    /// <param name="average">Receives the averages of the parameters; null where there are none.</param>
    /// <returns>Whether there was one.</returns>
    /// <exception cref="InvalidDataException">The file is damaged or belongs to another training; the message says what to do.</exception>
    public bool TryRestore(
        int epochs,
        int stepsOfEpoch,
        IReadOnlyList<Parameter> parameters,
        Optimizer optimizer,
        ParameterSnapshot best,
        [NotNullWhen(true)] out TrainingProgress? progress,
        out bool isFinished,
        WeightAverage? average = null)
    {
        (progress, isFinished) = (null, false);
        if (!File.Exists(_path))
            return false;
        try
        {
            using var zip = ZipFile.OpenRead(_path);
            var (content, json) = ReadContent(zip);
            if (content.Version == CurrentVersion && content.Training == training)
            {
                content.Progress.Check(epochs, stepsOfEpoch);
                var updates = (content.Progress.Epoch - 1) * stepsOfEpoch + content.Progress.Step;
                Put(parameters, best, average, updates, optimizer, ReadState(zip, json), content.IsFinished);
                (progress, isFinished) = (content.Progress, content.IsFinished);
                return true;
            }

            if (content is { Version: CurrentVersion, IsFinished: true })
                return false;
        }
        catch (Exception e) when (e is JsonException or ArgumentException or InvalidDataException)
        {
            throw Unusable("is damaged", e);
        }

        throw Unusable("belongs to a training with other options or rows, or of another version of this library");
    }

    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = TrainingDigest.NeedsReflection)]
    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = TrainingDigest.NeedsReflection)]
    private void Write(Content content, IReadOnlyList<SavedTensor> state)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(content, Json);
        AtomicFile.Write(_path, stream =>
        {
            using var zip = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true);
            using (var entry = zip.CreateEntry(ProgressEntry).Open())
                entry.Write(json);
            using var sha = SHA256.Create();
            using (var entry = zip.CreateEntry(StateEntry, CompressionLevel.NoCompression).Open())
            using (var hashed = new CryptoStream(entry, sha, CryptoStreamMode.Write))
                SafeTensorsWriter.Write(hashed, state);
            using (var entry = zip.CreateEntry(DigestEntry).Open())
                entry.Write(DigestOf(json, sha.Hash!));
        });
        _savedAt = Stopwatch.GetTimestamp();
    }

    /// <summary>The state, compared with its digest before anybody uses it.</summary>
    private static IReadOnlyDictionary<string, NamedValues> ReadState(ZipArchive zip, byte[] json)
    {
        byte[] found;
        using (var stream = Entry(zip, StateEntry).Open())
            found = DigestOf(json, SHA256.HashData(stream));
        using (var stream = Entry(zip, DigestEntry).Open())
        {
            var expected = new byte[found.Length];
            if (stream.ReadAtLeast(expected, expected.Length, throwOnEndOfStream: false) < found.Length || !expected.AsSpan().SequenceEqual(found))
                throw new InvalidDataException("its contents have changed since it was written");
        }

        using var state = Entry(zip, StateEntry).Open();
        return SafeTensors.Read(state, StateEntry).TakeAll();
    }

    private static byte[] DigestOf(byte[] json, byte[] digestOfState) =>
        Encoding.ASCII.GetBytes(Convert.ToHexString(SHA256.HashData([.. json, .. digestOfState])));

    private static void Put(
        IReadOnlyList<Parameter> parameters,
        ParameterSnapshot best,
        WeightAverage? average,
        int updates,
        Optimizer optimizer,
        IReadOnlyDictionary<string, NamedValues> state,
        bool isFinished)
    {
        var values = parameters.Select(p => Of(p, p.Name)).ToList();
        var bestValues = state.Keys.Any(k => k.StartsWith(BestPrefix, StringComparison.Ordinal))
            ? parameters.Select(p => Of(p, BestPrefix + p.Name)).ToList()
            : null;
        var averages = average is null || isFinished ? null : parameters.Select(p => Of(p, AveragePrefix + p.Name)).ToList();
        if (!isFinished)
            optimizer.SetState(state.Where(v => v.Key.StartsWith(OptimizerPrefix, StringComparison.Ordinal))
                .ToDictionary(v => v.Key[OptimizerPrefix.Length..], v => v.Value));
        foreach (var (parameter, value) in parameters.Zip(values))
            parameter.Value.CopyFrom(value);
        if (bestValues is not null)
            best.Import(bestValues);
        if (averages is not null)
            average!.Import(averages, updates);

        float[] Of(Parameter parameter, string name) =>
            state.TryGetValue(name, out var found) && parameter.Value.Shape.SequenceEqual(found.Shape)
                ? found.Values
                : throw new ArgumentException($"no values for {name}", nameof(state));
    }

    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = TrainingDigest.NeedsReflection)]
    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = TrainingDigest.NeedsReflection)]
    private static (Content Content, byte[] Json) ReadContent(ZipArchive zip)
    {
        var entry = Entry(zip, ProgressEntry);
        using var stream = entry.Open();
        var bytes = new byte[MaximumJsonBytes];
        var length = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        if (length == bytes.Length)
            throw new InvalidDataException($"{ProgressEntry} is too long");
        var json = bytes[..length];
        return (JsonSerializer.Deserialize<Content>(json, Json) ?? throw new JsonException("null"), json);
    }

    private static ZipArchiveEntry Entry(ZipArchive zip, string name) =>
        zip.GetEntry(name) ?? throw new InvalidDataException($"{name} is missing");

    private InvalidDataException Unusable(string why, Exception? cause = null) =>
        new(
        $"The checkpoint {_path} {why}. Delete it to train from the beginning, or name another {nameof(TrainingConfig.CheckpointFile)}.", cause);

    private sealed record Content(int Version, string Training, bool IsFinished, TrainingProgress Progress);
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

    /// <summary>What the epoch before the one under way achieved; null in the first.</summary>
    public EpochReport? LastEpoch { get; init; }

    /// <summary>Checks numbers that come from a file.</summary>
    /// <param name="epochs">Epochs of the training.</param>
    /// <param name="stepsOfEpoch">Steps of each.</param>
    /// <exception cref="InvalidDataException">One is out of range.</exception>
    public void Check(int epochs, int stepsOfEpoch)
    {
        var isPossible = Epoch >= 1 && Epoch <= epochs + 1 && Step >= 0 && Step <= stepsOfEpoch
            && EvaluatedStep >= 0 && EvaluatedStep <= Step && EpochsSinceBest >= 0 && EpochsSinceBest <= epochs
            && double.IsFinite(LossSum) && !double.IsNaN(Best) && (EpochState is null || EpochState.All(double.IsFinite))
            && (LastEpoch is null || (LastEpoch.Epoch == Epoch - 1 && LastEpoch.Epochs == epochs));
        if (!isPossible)
            throw new InvalidDataException($"its progress is impossible: {this}");
    }
}
