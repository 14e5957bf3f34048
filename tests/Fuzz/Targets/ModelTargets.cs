using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.ML.Data;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Training;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Fuzzing;

/// <summary>Zips of models of all kinds, as ML.NET loads them.</summary>
internal abstract class ZipTarget : FuzzTarget
{
    private const int InputsOfContext = 256;
    private MLContext? _ml;
    private int _inputs;

    /// <summary>The zips.</summary>
    protected Lazy<IReadOnlyList<byte[]>> Zips { get; } = new(() =>
    {
        var ml = new MLContext(seed: 1);
        ITransformer[] models =
        [
            TinyModels.Text(ml), TinyModels.Text(ml, TextTokenizer.FromWordPieceVocabulary(TestVocabulary.Stream())), TinyModels.Image(ml),
                TinyModels.Number(ml),
            TinyModels.Embedder(ml), TinyModels.Generator(ml),
        ];
        var zips = models.Select(m => TinyModels.Zip(ml, m)).ToList();
        foreach (var model in models)
            ((IDisposable)model).Dispose();
        return zips;
    });

    public override long MostAllocated(long length) => (32L << 20) + 512 * length;

    /// <summary>Loads a model.</summary>
    protected void Load(byte[] zip)
    {
        if (_ml is null || _inputs++ % InputsOfContext == 0)
        {
            // what ML.NET leaves behind when loading fails
            Clean();
            _ml = new MLContext { TempFilePath = Place.Path };
        }

        ((IDisposable)_ml.Model.Load(new MemoryStream(zip), out _)).Dispose();
    }

    /// <summary>Whether an exception, or one inside it, says that the file is damaged.</summary>
    protected static bool TellsOfDamage(Exception error)
    {
        for (var e = error; e is not null; e = e.InnerException)
            if (e is InvalidDataException)
                return true;
        return false;
    }

    /// <summary>What ML.NET says of an entry that is missing, or of a loader's assembly without a name.</summary>
    protected static bool TellsOfLoader(Exception error) => error.GetBaseException().Message is var message
        && (message.Contains("Repository doesn't contain entry", StringComparison.Ordinal)
            || message.Contains("String cannot have zero length", StringComparison.Ordinal));

    private void Clean()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Place.Empty();
    }
}

/// <summary>Entries of model zips, their digests made to fit.</summary>
internal sealed class ModelTarget : ZipTarget
{
    private const string Key = "Model.key";
    private readonly Dictionary<string, HashSet<string>> _digests = [];

    public override string Name => "model";

    /// <summary>
    /// A damaged entry; a tokenizer or a folder that is only named and not there; and what ML.NET says of an entry that is missing, or of a
    /// loader or an assembly whose name was changed.
    /// </summary>
    public override bool IsDocumented(Exception exception) => TellsOfDamage(exception)
        || exception.GetBaseException() is FormatException or FileNotFoundException or DirectoryNotFoundException
            or FileLoadException or CultureNotFoundException
        || exception.GetBaseException().Message.Contains("TextTokenizer.Register", StringComparison.Ordinal)
        || TellsOfLoader(exception);

    public override void Read(FuzzInput input) => Load(Pack(input));

    protected override IEnumerable<FuzzInput> CreateSeeds()
    {
        foreach (var zip in Zips.Value)
        {
            using var archive = new ZipArchive(new MemoryStream(zip), ZipArchiveMode.Read);
            FuzzFile[] files = [.. archive.Entries.Select(entry =>
            {
                using var content = new MemoryStream();
                using var stream = entry.Open();
                stream.CopyTo(content);
                return new FuzzFile(entry.FullName.Replace('\\', '/'), content.ToArray());
            })];
            foreach (var file in files)
            {
                if (!_digests.TryGetValue(file.Name, out var digests))
                    _digests.Add(file.Name, digests = []);
                digests.Add(Convert.ToHexString(SHA256.HashData(file.Content)));
            }

            // ML.NET's own entries are its own to read
            yield return new FuzzInput([.. files.Where(f => !f.Name.StartsWith("TrainingInfo", StringComparison.Ordinal))]);
        }
    }

    private byte[] Pack(FuzzInput input)
    {
        using var stream = new MemoryStream();
        using (var archive = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
            foreach (var file in input.Files)
            {
                using var entry = archive.CreateEntry(file.Name, CompressionLevel.NoCompression).Open();
                entry.Write(file.Name.EndsWith(Key, StringComparison.Ordinal) ? WithDigests(file, input) : file.Content);
            }

        return stream.ToArray();
    }

    /// <summary>The list of entries, with the lengths and digests that they have now.</summary>
    private byte[] WithDigests(FuzzFile key, FuzzInput input)
    {
        var folder = key.Name[..^Key.Length];
        var content = (byte[])key.Content.Clone();
        foreach (var file in input.Files.Where(f => f != key && f.Name.StartsWith(folder, StringComparison.Ordinal)))
            foreach (var digest in _digests.GetValueOrDefault(file.Name, []))
                if (content.AsSpan().IndexOf(Convert.FromHexString(digest)) is >= sizeof(long) and var at)
                {
                    SHA256.HashData(file.Content).CopyTo(content, at);
                    BitConverter.GetBytes((long)file.Content.Length).CopyTo(content, at - sizeof(long));
                }

        return content;
    }
}

/// <summary>The bytes of a model zip themselves: most is ML.NET's reading.</summary>
internal sealed class ModelZipTarget : ZipTarget
{
    public override string Name => "model-zip";

    /// <summary>ML.NET documents nothing; what it throws here for damaged zips.</summary>
    public override bool IsDocumented(Exception exception) => TellsOfDamage(exception) || TellsOfLoader(exception) || exception.GetBaseException()
        is FormatException or InvalidOperationException or IOException or CultureNotFoundException;

    public override void Read(FuzzInput input) => Load(input.Single);

    protected override IEnumerable<FuzzInput> CreateSeeds() => Zips.Value.Select(zip => new FuzzInput(new FuzzFile("model.zip", zip)));
}

/// <summary><c>Config.json</c> and <c>Weights.safetensors</c> of models of texts, images and features, without ML.NET.</summary>
internal sealed class WeightsTarget : FuzzTarget
{
    private const string Config = "Config.json";
    private const string Weights = "Weights.safetensors";

    public override string Name => "weights";

    public override void Read(FuzzInput input)
    {
        var (config, weights) = (Of(Config), Of(Weights));
        if (config is null || weights is null)
            return;
        using var engine = new ManagedEngine(1);
        switch (input.Files[^1].Name)
        {
            case "text":
                _ = ModelFiles.LoadText(config, weights, engine);
                break;
            case "image":
                _ = ModelFiles.LoadImage(config, weights, engine);
                break;
            default:
                _ = ModelFiles.LoadFeatures(config, weights, engine);
                break;
        }

        MemoryStream? Of(string name) =>
            input.Files.FirstOrDefault(f => f.Name == name) is { } file ? new MemoryStream(file.Content) : null;
    }

    protected override IEnumerable<FuzzInput> CreateSeeds()
    {
        var ml = new MLContext(seed: 1);
        (string, ITransformer)[] models =
            [("text", TinyModels.Text(ml)), ("image", TinyModels.Image(ml)), ("features", TinyModels.Number(ml))];
        foreach (var (kind, model) in models)
        {
            using (model as IDisposable)
            using (var archive = new ZipArchive(new MemoryStream(TinyModels.Zip(ml, model)), ZipArchiveMode.Read))
            {
                yield return new FuzzInput(File(archive, Config), File(archive, Weights), new FuzzFile(kind, []));
            }
        }

        static FuzzFile File(ZipArchive archive, string name)
        {
            using var content = new MemoryStream();
            using var stream = archive.Entries.Single(e => e.FullName.Split('/', '\\')[^1] == name).Open();
            stream.CopyTo(content);
            return new FuzzFile(name, content.ToArray());
        }
    }
}

/// <summary>A checkpoint of a training, its digest made to fit.</summary>
internal sealed class CheckpointTarget : FuzzTarget
{
    private const int Epochs = 60;
    private const int StepsOfEpoch = 3;
    private const string Progress = "Progress.json";
    private const string State = "State.safetensors";
    private const string Digest = "Digest.txt";
    private readonly ManagedEngine _engine = new(1);
    private readonly Lazy<List<Parameter>> _parameters;
    private Optimizer? _optimizer;
    private string _training = "";

    public CheckpointTarget() => _parameters = new(() =>
        [.. TinyGenerators.Create(_engine, TinyGenerators.T5).Parameters.All.Select(p => p.Parameter)]);

    public override string Name => "checkpoint";

    public override void Read(FuzzInput input)
    {
        var path = Place["training.checkpoint"];
        using (var stream = File.Create(path))
            Pack(input, stream);
        var parameters = _parameters.Value;
        _optimizer ??= _engine.CreateAdamW([new ParameterGroup(parameters, 1e-3f)]);
        new TrainingCheckpoint(path, _training).TryRestore(
            Epochs, StepsOfEpoch, parameters, _optimizer, new ParameterSnapshot(parameters), out var progress, out _);
        if (progress is { } p && (p.Epoch < 1 || p.Step < 0 || p.Step > StepsOfEpoch || !double.IsFinite(p.LossSum)))
            throw new InvalidOperationException($"Accepted: {p}");
    }

    public override FuzzInput Repair(FuzzInput input)
    {
        var files = input.ToDictionary();
        if (!files.TryGetValue(Progress, out var progress) || !files.TryGetValue(State, out var state))
            return input;
        var digest = Convert.ToHexString(SHA256.HashData([.. progress, .. SHA256.HashData(state)]));
        var content = System.Text.Encoding.ASCII.GetBytes(digest);
        return new FuzzInput([.. input.Files.Select(f => f.Name == Digest ? f with { Content = content } : f)]);
    }

    public override void Dispose()
    {
        _optimizer?.Dispose();
        _engine.Dispose();
        base.Dispose();
    }

    protected override IEnumerable<FuzzInput> CreateSeeds()
    {
        foreach (var steps in new[] { 2, 4 })
        {
            var path = Place["seed.checkpoint"];
            File.Delete(path);
            TinyGenerators.Train(TinyGenerators.T5, Config(path), interruptAfter: steps);
            using var zip = ZipFile.OpenRead(path);
            var input = new FuzzInput([.. zip.Entries.Select(Of)]);
            _training = JsonDocument.Parse(input.ToDictionary()[Progress]).RootElement.GetProperty("training").GetString()!;
            yield return input;
        }
    }

    private static GeneratorTrainingConfig Config(string path) => new()
    {
        Training = new GeneratorTrainingConfig().Training with
        {
            LearningRate = 1e-3f,
            BatchSize = 8,
            MaxEpochs = Epochs,
            CheckpointFile = path,
        },
    };

    private static FuzzFile Of(ZipArchiveEntry entry)
    {
        using var content = new MemoryStream();
        using var stream = entry.Open();
        stream.CopyTo(content);
        return new FuzzFile(entry.FullName, content.ToArray());
    }

    private static void Pack(FuzzInput input, Stream stream)
    {
        using var zip = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true);
        foreach (var file in input.Files)
        {
            using var entry = zip.CreateEntry(file.Name, CompressionLevel.NoCompression).Open();
            entry.Write(file.Content);
        }
    }
}
