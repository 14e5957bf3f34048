using System.Text.Json;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models.Embeddings;

/// <summary>
/// A folder as sentence-transformers saves it: an encoder, how its states become an embedding, prompts, and the longest text; in the forms of
/// all its releases. A folder without <c>modules.json</c> is an encoder whose states' mean is the embedding, not normalised.
/// </summary>
internal sealed class SentenceFolder
{
    private const string ModulesFile = "modules.json";
    private const string ConfigFile = "config.json";
    private const string PromptsFile = "config_sentence_transformers.json";
    private const int MostModules = 16;

    /// <summary>Name of the prompt of queries.</summary>
    public const string QueryPrompt = "query";

    /// <summary>Name of the prompt of documents.</summary>
    public const string DocumentPrompt = "document";

    /// <summary>The file has the name of the class that it once belonged to.</summary>
    private static readonly string[] LengthFiles =
    [
        "sentence_bert_config.json", "sentence_roberta_config.json", "sentence_distilbert_config.json", "sentence_camembert_config.json",
        "sentence_albert_config.json", "sentence_xlm-roberta_config.json", "sentence_xlnet_config.json",
    ];

    private static readonly (string Name, Activation Activation)[] Activations =
    [
        ("Tanh", Activation.Tanh),
        ("Identity", Activation.None),
        ("ReLU", Activation.Relu),
        ("GELU", Activation.GeluErf),
        ("SiLU", Activation.Silu),
        ("Sigmoid", Activation.Sigmoid),
    ];

    private SentenceFolder(string path) => Path = path;

    /// <summary>The older form of ways of pooling, in the order in which their results stand.</summary>
    public static IReadOnlyList<(string Flag, TextPooling Pooling)> PoolingFlags { get; } =
    [
        ("pooling_mode_cls_token", TextPooling.FirstToken),
        ("pooling_mode_max_tokens", TextPooling.Max),
        ("pooling_mode_mean_tokens", TextPooling.Mean),
        ("pooling_mode_mean_sqrt_len_tokens", TextPooling.MeanSquareRootLength),
        ("pooling_mode_weightedmean_tokens", TextPooling.WeightedMean),
        ("pooling_mode_lasttoken", TextPooling.LastToken),
    ];

    /// <summary>Path of the folder.</summary>
    public string Path { get; }

    /// <summary>Path of the folder of encoder and tokenizer, perhaps the same.</summary>
    public string EncoderPath { get; private set; } = "";

    /// <summary>Ways of pooling, in their order.</summary>
    public IReadOnlyList<TextPooling> Pooling { get; private set; } = [TextPooling.Mean];

    /// <summary>Whether the folder tells how to pool; if not, a causal model's last token stands for a text, of others the mean.</summary>
    public bool TellsPooling { get; private set; }

    /// <summary>Whether a prompt's tokens take part in pooling.</summary>
    public bool IncludesPrompt { get; private set; } = true;

    /// <summary>What follows pooling, and where a layer's weights are; null where it has none.</summary>
    public IReadOnlyList<(EmbeddingModule Module, string? Folder)> Modules { get; private set; } = [];

    /// <summary>Longest text in tokens, special ones counted; null where encoder and tokenizer tell.</summary>
    public int? MaximumTokens { get; private set; }

    /// <summary>Whether texts are lower-cased before the tokenizer reads them.</summary>
    public bool Lowercase { get; private set; }

    /// <summary>Texts to put before a text, by name; those of queries and documents are always there, perhaps empty.</summary>
    public IReadOnlyDictionary<string, string> Prompts { get; private set; } =
        new Dictionary<string, string> { [QueryPrompt] = "", [DocumentPrompt] = "" };

    /// <summary>Name of the prompt of texts that are neither queries nor documents; null for none.</summary>
    public string? DefaultPromptName { get; private set; }

    /// <summary>How embeddings are compared: cosine, dot, euclidean or manhattan.</summary>
    public string Similarity { get; private set; } = "cosine";

    /// <summary>Reads a folder.</summary>
    /// <param name="path">Path of the folder.</param>
    /// <exception cref="InvalidDataException">A file is damaged, or names a module or a setting that is not supported.</exception>
    public static SentenceFolder Open(string path)
    {
        var folder = new SentenceFolder(path);
        folder.ReadModules();
        folder.ReadLength();
        folder.ReadPrompts();
        return folder;
    }

    /// <summary>The text to put before texts.</summary>
    /// <param name="name">Name of the prompt; null takes <see cref="DefaultPromptName"/>.</param>
    /// <exception cref="ArgumentException">There is no such prompt; the message names those that there are.</exception>
    public string PromptOf(string? name)
    {
        if ((name ?? DefaultPromptName) is not { } wanted)
            return "";
        return Prompts.TryGetValue(wanted, out var prompt) ? prompt : throw new ArgumentException(
            $"{Path} has no prompt '{wanted}'; it has {string.Join(", ", Prompts.Keys.Select(p => $"'{p}'"))}.",
            nameof(name));
    }

    private void ReadModules()
    {
        EncoderPath = Path;
        var file = System.IO.Path.Combine(Path, ModulesFile);
        if (!File.Exists(file))
            return;
        var list = PublishedFolder.ReadJson(file);
        if (list.ValueKind != JsonValueKind.Array || list.GetArrayLength() is 0 or > MostModules)
            throw new InvalidDataException($"{file} is not a list of 1 to {MostModules} modules.");
        var modules = new List<(EmbeddingModule, string?)>();
        var pooled = false;
        foreach (var (number, json) in list.EnumerateArray().Index())
        {
            var module = new PublishedSettings(json, file);
            var type = module.Text("type", "");
            var kind = type[(type.LastIndexOf('.') + 1)..];
            var own = Within(module.Text("path", ""), file);
            if ((number == 0) != (kind == "Transformer") || (number == 1) != (kind == "Pooling"))
                throw Unsupported(file, type);
            switch (kind)
            {
                case "Transformer":
                    EncoderPath = own;
                    break;
                case "Pooling":
                    pooled = true;
                    TellsPooling = true;
                    ReadPooling(PublishedFolder.ReadConfig(System.IO.Path.Combine(own, ConfigFile)));
                    break;
                case "Normalize":
                    modules.Add((new NormalizeModule(), null));
                    break;
                case "Dense":
                    modules.Add((ReadDense(PublishedFolder.ReadConfig(System.IO.Path.Combine(own, ConfigFile))), own));
                    break;
                case "Dropout":
                    break;
                default:
                    throw Unsupported(file, type);
            }
        }

        if (!pooled)
            throw new InvalidDataException($"{file} has no Pooling: its model gives no embeddings of texts.");
        Modules = modules;
    }

    private static InvalidDataException Unsupported(string file, string type) => new(
        $"{file}: a module of type '{type}' is not supported there: a Transformer comes first, then Pooling, then Dense and Normalize.");

    /// <summary>A module's folder, which must not lead out of this one.</summary>
    private string Within(string path, string file)
    {
        if (System.IO.Path.IsPathRooted(path) || path.Split('/', '\\').Contains(".."))
            throw new InvalidDataException($"{file}: the path '{path}' leads out of the folder.");
        return path.Length == 0 ? Path : System.IO.Path.Combine(Path, path);
    }

    private void ReadPooling(PublishedSettings json)
    {
        IncludesPrompt = json.Flag("include_prompt", absent: true);
        if (json.Has("pooling_mode"))
        {
            var names = json.Texts("pooling_mode");
            if (names.Count is 0 or > MostModules)
                throw json.Refused("pooling_mode is empty, or very long");
            Pooling = [.. names.Select(name => PoolingOf(name) ?? throw json.Refused($"pooling_mode '{name}' is not known"))];
            return;
        }

        TextPooling[] flagged = [.. PoolingFlags.Where(f => json.Flag(f.Flag)).Select(f => f.Pooling)];
        Pooling = flagged.Length > 0 ? flagged : [TextPooling.Mean];
    }

    /// <summary>What sentence-transformers calls a way of pooling.</summary>
    public static string NameOf(TextPooling pooling) => pooling switch
    {
        TextPooling.FirstToken => "cls",
        TextPooling.Max => "max",
        TextPooling.Mean => "mean",
        TextPooling.MeanSquareRootLength => "mean_sqrt_len_tokens",
        TextPooling.WeightedMean => "weightedmean",
        TextPooling.LastToken => "lasttoken",
        _ => throw new ArgumentOutOfRangeException(nameof(pooling), pooling, "There is no such pooling."),
    };

    /// <summary>What torch calls an activation.</summary>
    public static string NameOf(Activation activation) => Activations.First(a => a.Activation == activation).Name;

    private static Activation? ActivationOf(string name)
    {
        foreach (var (known, activation) in Activations)
            if (known == name)
                return activation;
        return null;
    }

    private static TextPooling? PoolingOf(string name)
    {
        foreach (var pooling in Enum.GetValues<TextPooling>())
            if (NameOf(pooling) == name)
                return pooling;
        return name == "mean_sqrt_len" ? TextPooling.MeanSquareRootLength : null;
    }

    private static DenseModule ReadDense(PublishedSettings json)
    {
        const string Sentence = "sentence_embedding";
        if (json.Text("module_input_name", Sentence) != Sentence || (json.Has("module_output_name") && json.Text("module_output_name", "") != Sentence))
            throw json.Refused("only a Dense from sentence_embedding to sentence_embedding is supported");
        var name = json.Text("activation_function", "torch.nn.modules.activation.Tanh");
        try
        {
            return new DenseModule
            {
                Width = json.Int("out_features") ?? throw json.Refused("out_features is missing"),
                HasBias = json.Flag("bias", absent: true),
                Activation = ActivationOf(name[(name.LastIndexOf('.') + 1)..]) ?? throw json.Refused(
                    $"activation_function '{name}' is none that is known here: {string.Join(", ", Activations.Select(a => a.Name))}"),
            };
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException($"{json.File} holds an impossible value: {e.Message}", e);
        }
    }

    private void ReadLength()
    {
        var file = LengthFiles.Select(name => System.IO.Path.Combine(EncoderPath, name)).FirstOrDefault(File.Exists);
        if (file is null)
            return;
        var json = PublishedFolder.ReadConfig(file);
        Lowercase = json.Flag("do_lower_case");
        MaximumTokens = json.Int("max_seq_length");
        if (MaximumTokens is < 1)
            throw json.Refused($"max_seq_length is {MaximumTokens}");
    }

    private void ReadPrompts()
    {
        var file = System.IO.Path.Combine(Path, PromptsFile);
        if (!File.Exists(file))
            return;
        var json = PublishedFolder.ReadConfig(file);
        var prompts = new Dictionary<string, string>(Prompts);
        foreach (var (name, prompt) in json.Part("prompts").AllTexts())
            prompts[name] = prompt;
        Prompts = prompts;
        DefaultPromptName = json.Has("default_prompt_name") ? json.Text("default_prompt_name", "") : null;
        Similarity = json.Text("similarity_fn_name", "cosine");
        if (DefaultPromptName is { } chosen && !Prompts.ContainsKey(chosen))
            throw json.Refused($"default_prompt_name '{chosen}' is none of its prompts");
    }
}
