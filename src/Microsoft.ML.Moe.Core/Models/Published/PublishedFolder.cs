using System.Text.Json;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>A folder with a published model as Hugging Face saves it: <c>config.json</c>, safetensors weights, perhaps a tokenizer.</summary>
internal sealed class PublishedFolder
{
    private const string ConfigFile = "config.json";
    private const int MaximumConfigBytes = 1 << 22;

    private PublishedFolder(string path, PublishedSettings settings) =>
        (Path, Settings, Encoder) = (path, settings, PublishedArchitectures.Read(settings));

    /// <summary>Path of the folder.</summary>
    public string Path { get; }

    /// <summary>The whole <c>config.json</c>.</summary>
    public PublishedSettings Settings { get; }

    /// <summary>The architecture.</summary>
    public PublishedConfig Encoder { get; }

    /// <summary>The class that the weights were saved from, such as <c>BertForSequenceClassification</c>; "" where it is not said.</summary>
    public string SavedClass => Settings.First("architectures") ?? "";

    /// <summary>Tells the weights from others, and from what they were before their files changed.</summary>
    public string Key => string.Join(
        ' ', Directory.GetFiles(Path, "*.safetensors").Order(StringComparer.Ordinal).Select(file => new FileInfo(file))
            .Select(file => $"{file.FullName} {file.Length} {file.LastWriteTimeUtc.Ticks}"));

    /// <summary>Opens a folder; the weights stay closed.</summary>
    /// <param name="pathOrName">Path of the folder, or name of a model on the hub, which is then looked for in the hub's cache folder.</param>
    /// <exception cref="FileNotFoundException">There is no such folder, or no <c>config.json</c> in it; the message says what to fetch.</exception>
    /// <exception cref="InvalidDataException">The file is damaged, or its model none that is known here.</exception>
    public static PublishedFolder Open(string pathOrName)
    {
        var path = Find(pathOrName);
        return new PublishedFolder(path, ReadConfig(System.IO.Path.Combine(path, ConfigFile)));
    }

    /// <summary>Reads a <c>config.json</c>.</summary>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    /// <exception cref="InvalidDataException">It is too large, or no JSON object.</exception>
    public static PublishedSettings ReadConfig(string file) => ReadJson(file) is { ValueKind: JsonValueKind.Object } json
        ? new PublishedSettings(json, file)
        : throw new InvalidDataException($"{file} is not a JSON object.");

    /// <summary>Reads a JSON file.</summary>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    /// <exception cref="InvalidDataException">It is too large, or no JSON.</exception>
    public static JsonElement ReadJson(string file)
    {
        if (!File.Exists(file))
            throw new FileNotFoundException($"There is no {file}: this is not the folder of a published model, or not all of it.", file);
        using var stream = File.OpenRead(file);
        if (stream.Length > MaximumConfigBytes)
            throw new InvalidDataException($"{file} has {stream.Length} bytes, more than a model's configuration can have.");
        try
        {
            using var json = JsonDocument.Parse(stream);
            return json.RootElement.Clone();
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{file} is not JSON: {e.Message}", e);
        }
    }

    /// <summary>The folder that a path or a name stands for.</summary>
    /// <exception cref="FileNotFoundException">There is none; the message says what to fetch and where it is looked for.</exception>
    public static string Find(string pathOrName)
    {
        ArgumentException.ThrowIfNullOrEmpty(pathOrName);
        if (Directory.Exists(pathOrName))
            return pathOrName;
        if (!HubCache.IsName(pathOrName))
            throw new FileNotFoundException($"There is no folder {pathOrName}.", pathOrName);
        return HubCache.Find(pathOrName) ?? throw new FileNotFoundException(
            $"There is no folder {pathOrName}, and the hub's cache {HubCache.Folder} does not have the model {pathOrName}. Nothing is "
            + $"downloaded here. Fetch config.json, model.safetensors, tokenizer.json, tokenizer_config.json and, of a sentence-transformers "
            + $"model, modules.json with the folders that it names, from https://huggingface.co/{pathOrName} into a folder and give its "
            + $"path, or fetch them into the cache with: hf download {pathOrName}",
            pathOrName);
    }

    /// <summary>
    /// A model of this folder's embedding and encoder under a head. A head's own parameters are new, unless the folder is to hold them:
    /// those of <see cref="PublishedClassesHead"/>.
    /// </summary>
    /// <param name="engine">Where it shall live.</param>
    /// <param name="input">Encodes rows as this folder's model reads them: texts with its tokenizer.</param>
    /// <param name="head">The head.</param>
    /// <param name="seed">Of the head's parameters.</param>
    /// <param name="change">
    /// Changes the architecture in what its weights do not tell: dropout, router. null leaves it as it is.
    /// </param>
    /// <param name="upcycling">
    /// Makes a mixture of the dense encoder; null leaves it dense. Where it <see cref="Upcycling.NeedsRows"/>,
    /// <see cref="UpcycledRouters.Start"/> is to follow.
    /// </param>
    /// <param name="baseModel">What the folder's model is called; null where nothing shall tell.</param>
    /// <param name="precision">What the weights become; those that are not single precision are frozen.</param>
    /// <exception cref="ArgumentException">The encoder cannot be made such a mixture.</exception>
    /// <exception cref="InvalidDataException">The weights are damaged, or not this architecture's; the message lists all that is wrong.</exception>
    public Model<TRow> Load<TRow>(
        Engine engine,
        Input<TRow> input,
        HeadConfig head,
        int seed = 0,
        Func<PublishedConfig, PublishedConfig>? change = null,
        Upcycling? upcycling = null,
        BaseModel? baseModel = null,
        WeightPrecision precision = WeightPrecision.Float32)
    {
        var encoder = change is null ? Encoder : change(Encoder);
        var config = new ModelConfig
        {
            Input = input.Config,
            Encoder = upcycling is null ? encoder : upcycling.Apply(encoder),
            Head = head,
            BaseModel = baseModel,
        };
        return Load(engine, seed, store => new Model<TRow>(engine, config, input, store), upcycling, precision);
    }

    /// <summary>What texts become for this folder's model.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="maximumTokens">Longest text, as a file of the folder says; null for as long as the model can read.</param>
    /// <param name="linear">What a linear branch reads.</param>
    /// <param name="windows">Sequences of a row.</param>
    /// <exception cref="InvalidDataException">So short a text has no room beside special tokens.</exception>
    public PublishedTextInput CreateInput(
        IPublishedTokenizer tokenizer,
        int? maximumTokens = null,
        LinearInput linear = LinearInput.None,
        TextWindows windows = TextWindows.Whole)
    {
        try
        {
            var config = PublishedTextInputConfig.Of(Encoder, maximumTokens) with { Linear = linear, Windows = windows };
            return new PublishedTextInput(config, tokenizer);
        }
        catch (ArgumentException e)
        {
            var tokens = Math.Min(maximumTokens ?? int.MaxValue, Encoder.MaximumTokens);
            throw new InvalidDataException($"{Path} cannot be used: its files allow texts of {tokens} tokens, special ones counted.", e);
        }
    }

    /// <summary>Makes something whose parameters are this folder's weights.</summary>
    /// <param name="engine">Where the parameters shall live.</param>
    /// <param name="seed">Of parameters of a new head, whose names begin with <c>head.</c> or <c>pooling.</c></param>
    /// <param name="create">Makes it.</param>
    /// <param name="upcycling">What <paramref name="create"/> has applied to the architecture; null for nothing.</param>
    /// <param name="precision">What the weights become; those that are not single precision are frozen.</param>
    /// <exception cref="InvalidDataException">The weights are damaged, or not this architecture's; the message lists all that is wrong.</exception>
    public T Load<T>(
        Engine engine,
        int seed,
        Func<ParameterStore, T> create,
        Upcycling? upcycling = null,
        WeightPrecision precision = WeightPrecision.Float32)
    {
        using var files = TensorFiles.Open(Path);
        var rules = Encoder.CreateRules().Optional("head.*").Optional("pooling.*");
        var derived = upcycling is null ? null : new UpcycledWeights(upcycling, Encoder);
        var weights = Weights.From(files, derived?.AddTo(rules) ?? rules, precision, derived);
        var made = create(new ParameterStore(engine, weights, seed) { HasDenseTables = Encoder.HasDenseTables });
        weights.Complete();
        return made;
    }
}
