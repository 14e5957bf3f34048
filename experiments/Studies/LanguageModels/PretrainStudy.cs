using System.Globalization;
using System.Text;
using Microsoft.ML.Moe.Experiments.Data;
using Microsoft.ML.Moe.Experiments.Reporting;
using Microsoft.ML.Moe.Experiments.Runs;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Experiments.Studies.LanguageModels;

/// <summary>
/// Pretrains a small mixture of our own and saves it in the form of transformers, in a folder of its name in the output folder, with a card.
/// An interrupted pretraining goes on where it was.
/// </summary>
internal sealed class PretrainStudy(PretrainedModel pretrained, Arguments arguments) : IStudy
{
    private const string Study = "pretrain";
    private const string Loss = "nats per token";
    private const string BitsPerCharacter = "bits per character";
    private const int DefaultSteps = 2000;
    private const int TestRows = 400;

    /// <summary>Of the mixture that continues texts.</summary>
    public static PretrainStudy Causal(Arguments arguments) => new(PretrainedModel.Causal, arguments);

    /// <summary>Of the mixture that fills gaps.</summary>
    public static PretrainStudy Switch(Arguments arguments) => new(PretrainedModel.Switch, arguments);

    /// <inheritdoc/>
    public IEnumerable<Run> Runs => [new Run(Key, Execute)];

    private string Folder => Path.Combine(arguments.Output, pretrained.Name);

    private int Steps => arguments.Steps ?? DefaultSteps;

    private RunKey Key => new(
        Study,
        "dotnet_ref_docs, dialogue_utterances",
        pretrained.Name,
        arguments.Seeds[0],
        string.Create(CultureInfo.InvariantCulture, $"{Steps} steps, {LanguageModelTokenizer.NameOf(arguments)}"));

    /// <inheritdoc/>
    public string Report(RunLog log)
    {
        var table = new MarkdownTable("model", "steps", Loss, BitsPerCharacter, "hours");
        if (log.Find(Key) is { } result)
        {
            table.Add(
                pretrained.Name,
                Steps.ToString(CultureInfo.InvariantCulture),
                result.Values[Loss].ToString("F4", CultureInfo.InvariantCulture),
                result.Values.TryGetValue(BitsPerCharacter, out var bits) ? bits.ToString("F4", CultureInfo.InvariantCulture) : "–",
                (result.Seconds / 3600).ToString("F2", CultureInfo.InvariantCulture));
        }

        return $"## Pretraining: {pretrained.Name}\n\n{table}";
    }

    private Dictionary<string, double> Execute(Engine engine, CancellationToken stop)
    {
        Directory.CreateDirectory(Folder);
        var seed = arguments.Seeds[0];
        var tokenizer = pretrained.Tokenizer(arguments);
        var corpus = TextCorpus.Read(arguments.Data);
        var rows = new CorpusRows(tokenizer);
        var training = TextModelTraining.Config(
            pretrained.BatchSize, pretrained.LearningRate, seed, Path.Combine(arguments.Output, pretrained.Name + ".checkpoint"));
        var (train, _) = pretrained.RowsOf(rows, corpus.Train, seed, Steps * pretrained.BatchSize);
        var (test, characters) = pretrained.RowsOf(rows, corpus.Test, seed, TestRows);
        var (generator, model) = pretrained.Config.CreateGenerator(engine, tokenizer, seed);
        TextModelTraining.Train(model, train, training, pretrained.Name, stop);
        var measured = model.Measure(test);
        var values = new Dictionary<string, double>
        {
            [Loss] = measured.Loss,
            ["tokens measured"] = measured.Count,
            ["rows learned from"] = train.Count,
            ["tokens learned from"] = train.Sum(row => (double)row.Input.Length),
        };
        if (characters > 0)
            values[BitsPerCharacter] = measured.Loss * measured.Count / characters / Math.Log(2);
        GeneratorFolderWriter.Write(generator, model, Folder);
        File.WriteAllText(Path.Combine(Folder, "README.md"), Card(model.ParameterCount, values, training.Training));
        return values;
    }

    private string Card(long parameters, Dictionary<string, double> values, TrainingConfig training)
    {
        var text = new StringBuilder();
        text.AppendLine("---\nlicense: cc-by-sa-4.0\nlibrary_name: transformers\nlanguage: en\n---\n");
        text.AppendLine(CultureInfo.InvariantCulture, $"# A small pretrained mixture: {pretrained.Name}\n");
        text.AppendLine(CultureInfo.InvariantCulture, $"Architecture: {pretrained.Config} ({parameters} weights).\n");
        text.AppendLine(
            "Data: sentences of .NET's API documentation (MIT) and turns of task-oriented dialogues (google-research-datasets dstc8-schema-guided-"
            + "dialogue, CC BY-SA 4.0; a few of Taskmaster, CC BY 4.0), the first 95 % of each file, row by row in turn. Vocabulary: "
            + $"{LanguageModelTokenizer.NameOf(arguments)}.\n");
        text.AppendLine(
            CultureInfo.InvariantCulture,
            $"Training: {training.BatchSize} rows a step, {Steps} steps, AdamW, highest learning rate {training.LearningRate}, "
            + $"{training.WarmupShare:P0} warm-up, cosine decay, weight decay {training.WeightDecay}, seed {training.Seed}.\n");
        foreach (var (name, value) in values)
            text.AppendLine(CultureInfo.InvariantCulture, $"* {name}: {value:G6}");
        return text.ToString();
    }
}
