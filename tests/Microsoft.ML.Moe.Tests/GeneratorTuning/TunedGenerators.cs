using Microsoft.ML.Data;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace Microsoft.ML.Moe.Tests.GeneratorTuning;

/// <summary>Small models that write, in folders, and rows that they learn in a moment.</summary>
internal sealed class TunedGenerators : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    /// <summary>A row.</summary>
    internal sealed class LetterRow
    {
        public string Source { get; set; } = "";

        public string Target { get; set; } = "";

        public string[] Targets { get; set; } = [];

        public string Context { get; set; } = "";

        public float Number { get; set; }
    }

    /// <summary>What was written to a row.</summary>
    internal sealed class AnswerRow
    {
        public string Prediction { get; set; } = "";
    }

    /// <summary>Path within a folder that goes with this.</summary>
    public string this[string name] => _folder[name];

    /// <summary>Files of the folder.</summary>
    public IEnumerable<string> Files => _folder.Files;

    /// <summary>An encoder–decoder with experts.</summary>
    public PublishedModel Switch => Folder("switch", TinyCausal.Switch);

    /// <summary>A causal mixture.</summary>
    public PublishedModel Olmoe => Folder("olmoe", TinyCausal.Olmoe);

    /// <summary>A dense causal model.</summary>
    public PublishedModel Llama => Folder("llama", TinyCausal.Llama);

    /// <summary>Rows whose target is the last letter of the source, three times.</summary>
    public static List<LetterRow> LetterRows(int count = 60, int seed = 1)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(i =>
        {
            var source = string.Concat(Enumerable.Range(0, random.Next(2, 6)).Select(_ => (char)('a' + random.Next(4))));
            var target = new string(source[^1], 3);
            return new LetterRow { Source = source, Target = target, Targets = [target, "zzz"], Context = source, Number = i };
        })];
    }

    /// <summary>What a model writes to rows.</summary>
    public static string[] Write(MLContext ml, ITransformer model, IEnumerable<LetterRow> rows) =>
        [.. ml.Data.CreateEnumerable<AnswerRow>(model.Transform(ml.Data.LoadFromEnumerable(rows)), reuseRowObject: false).Select(r => r.Prediction)];

    /// <summary>Share of rows whose target is written.</summary>
    public static double Accuracy(MLContext ml, ITransformer model, IReadOnlyList<LetterRow> rows) =>
        Write(ml, model, rows).Zip(rows, (written, row) => written == row.Target ? 1.0 : 0.0).Average();

    /// <summary>A trainer that has the causal model write the targets behind the sources.</summary>
    public MoeLanguageModelTrainer Completer(MLContext ml, Action<MoeLanguageModelTrainer.Options>? change = null)
    {
        var options = new MoeLanguageModelTrainer.Options
        {
            Model = Olmoe,
            PromptColumnName = "Source",
            CompletionColumnName = "Target",
            MaxEpochs = 1,
            BatchSize = 8,
            LearningRate = 0.01f,
            Threads = 1,
            Device = MoeDevice.Cpu,
        };
        change?.Invoke(options);
        return ml.Transforms.Text.MoeLanguageModel(options);
    }

    public void Dispose() => _folder.Dispose();

    private PublishedModel Folder(string name, string config)
    {
        if (!Directory.Exists(_folder[name]))
            TinyCausal.Write(_folder[name], config, generation: """{ "eos_token_id": 1, "max_new_tokens": 12 }""");
        return PublishedModel.FromFolder(_folder[name]);
    }
}
