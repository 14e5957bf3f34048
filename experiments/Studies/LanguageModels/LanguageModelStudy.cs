using System.Globalization;
using System.Text;
using Microsoft.ML.Moe.Experiments.Data;
using Microsoft.ML.Moe.Experiments.Reporting;
using Microsoft.ML.Moe.Experiments.Runs;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tokenizers;

namespace Microsoft.ML.Moe.Experiments.Studies.LanguageModels;

/// <summary>
/// Causal language models from scratch: dense, Token Choice, Expert Choice and Unified twins on the same rows in the same order, measured in
/// bits per character on the last lines of each file. No token's experts depend on later tokens; those of the time-step scopes depend on the
/// rows of the same pass.
/// </summary>
internal sealed class LanguageModelStudy(Arguments arguments) : IStudy
{
    private const string Study = "language-model";
    private const string BitsPerCharacter = "bits per character";
    private const string ExpertsPerToken = "experts per token";
    private const int DefaultSteps = 400;
    private const int BatchSize = 8;
    private const float LearningRate = 3e-3f;
    private const int TestRows = 256;

    private readonly Lazy<(HuggingFaceTokenizer Tokenizer, TextCorpus Corpus)> _data = new(() =>
        (LanguageModelTokenizer.Read(arguments), TextCorpus.Read(arguments.Data)));

    private int Steps => arguments.Steps ?? DefaultSteps;

    /// <inheritdoc/>
    public IEnumerable<Run> Runs =>
        from seed in arguments.Seeds
        from arm in LanguageModelArm.All
        select new Run(Key(arm, seed), (engine, stop) => Execute(arm, seed, engine, stop));

    /// <inheritdoc/>
    public string Report(RunLog log)
    {
        var table = new MarkdownTable("model", BitsPerCharacter, "minus Token Choice", ExpertsPerToken);
        foreach (var arm in LanguageModelArm.All)
        {
            var difference = PairedTest.Of(
                Values(log, arm, BitsPerCharacter), Values(log, LanguageModelArm.TokenChoice, BitsPerCharacter));
            table.Add(
                arm.Name,
                new Sample([.. Values(log, arm, BitsPerCharacter).Values]).Format(1, "0.0000", "0.0000"),
                arm == LanguageModelArm.TokenChoice ? "" : Signed(difference),
                new Sample([.. Values(log, arm, ExpertsPerToken).Values]).Format(1, "0.000", "0.000"));
        }

        var text = new StringBuilder("## Language models from scratch\n\n");
        text.AppendLine(
            CultureInfo.InvariantCulture,
            $"{Steps} steps of {BatchSize} rows of {LanguageModelArm.TokenChoice.Config.MaximumTokens} tokens, "
            + $"{LanguageModelTokenizer.NameOf(arguments)}; seeds {string.Join(", ", arguments.Seeds)}. Mean ± standard error; differences paired by seed, with Student's t-test.\n");
        return text.Append(table).ToString();
    }

    private static string Signed(PairedTest difference) => difference.Differences.Format(1, "+0.0000;−0.0000;0.0000", "0.0000")
        + (double.IsNaN(difference.P) ? "" : ", p = " + difference.P.ToString("F3", CultureInfo.InvariantCulture));

    private RunKey Key(LanguageModelArm arm, int seed) => new(
        Study,
        "dotnet_ref_docs, dialogue_utterances",
        arm.Name,
        seed,
        string.Create(CultureInfo.InvariantCulture, $"{Steps} steps, {LanguageModelTokenizer.NameOf(arguments)}, {arm.Config.Layers}×{arm.Config.Width}"));

    private Dictionary<int, double> Values(RunLog log, LanguageModelArm arm, string value) => arguments.Seeds
        .Select(seed => (Seed: seed, Result: log.Find(Key(arm, seed))))
        .Where(run => run.Result is not null)
        .ToDictionary(run => run.Seed, run => run.Result!.Values[value]);

    private Dictionary<string, double> Execute(LanguageModelArm arm, int seed, Engine engine, CancellationToken stop)
    {
        var (tokenizer, corpus) = _data.Value;
        var rows = new CorpusRows(tokenizer);
        var (train, _) = rows.Causal(corpus.Train, arm.Config.MaximumTokens, Steps * BatchSize);
        var (test, characters) = rows.Causal(corpus.Test, arm.Config.MaximumTokens, TestRows);
        var model = arm.Config.Create(engine, tokenizer, seed);
        TextModelTraining.Train(model, train, TextModelTraining.Config(BatchSize, LearningRate, seed), name: null, stop);
        var (bits, experts) = TextModelTraining.Measure(model, test, characters);
        return new() { [BitsPerCharacter] = bits, [ExpertsPerToken] = experts };
    }
}
