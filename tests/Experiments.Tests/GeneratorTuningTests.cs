using Microsoft.ML.Moe.Experiments.Data;
using Microsoft.ML.Moe.Experiments.Runs;
using Microsoft.ML.Moe.Experiments.Studies.GeneratorTuning;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace Microsoft.ML.Moe.Experiments.Tests;

/// <summary>Studies that tune a pretrained model that writes.</summary>
public sealed class GeneratorTuningTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Corruption_is_told_by_step_for_every_router()
    {
        var report = Run("corruption", runs: 32);
        Assert.Contains("| rows | router | 0 | 1 | 2 | 3 |", report, StringComparison.Ordinal);
        Assert.Contains("| 20 % of the labels wrong | Unified, prefix | ", report, StringComparison.Ordinal);
        // the same start, whatever it learns from
        var log = new RunLog(Path.Combine(_folder.Path, "out", "runs.jsonl"));
        var values = Starts(log).GroupBy(start => start.Router).ToList();
        Assert.Equal(4, values.Count);
        Assert.All(values, router => Assert.Single(router.Select(start => start.Perplexity).Distinct()));
        Assert.Equal(4, values.Select(router => router.First().Perplexity).Distinct().Count());
    }

    [Fact]
    public void Uncertainty_is_told_by_threshold_layer_and_token()
    {
        var report = Run("uncertainty", runs: 18);
        Assert.Contains("| H* / ln N | uncertain tokens | own experts |", report, StringComparison.Ordinal);
        Assert.Contains("| clinc150 | block 1 | ", report, StringComparison.Ordinal);
        Assert.Equal(2, report.Split("\n| all tokens | ").Length - 1);
        Assert.Contains("| movie_sentences | all | `", report, StringComparison.Ordinal);
    }

    [Fact]
    public void A_model_has_to_be_given_and_the_studies_are_not_among_all()
    {
        Assert.Equal(1, CommandLine.Run(["corruption", "--data", _folder.Path, "--out", Path.Combine(_folder.Path, "out"), "--seeds", "1"]));
        var all = CommandLine.Read(CommandLine.Parse(["all", "--data", _folder.Path])).Studies;
        Assert.Contains("routers", all);
        Assert.DoesNotContain("corruption", all);
    }

    [Fact]
    public void Rows_are_corrupted_alike_with_the_same_seed_and_clean_ones_stay()
    {
        Sentence[] rows = [.. Enumerable.Range(0, 400).Select(i => new Sentence($"class {i % 4}", $"one two three four five number{i % 50}"))];
        Assert.Equal(rows, RowCorruption.None.Apply(rows, 1));
        foreach (var corruption in RowCorruption.All.Skip(1))
        {
            var noisy = corruption.Apply(rows, 1);
            Assert.Equal(noisy, corruption.Apply(rows, 1));
            Assert.NotEqual(noisy, corruption.Apply(rows, 2));
            var wrong = rows.Zip(noisy).Count(pair => pair.First.Label != pair.Second.Label) / 400.0;
            Assert.Equal(corruption.WrongLabels, wrong, 0.06);
            Assert.Equal(corruption.Text is null, rows.Zip(noisy).All(pair => pair.First.Text == pair.Second.Text));
        }
    }

    [Fact]
    public void Folders_of_one_name_that_hold_different_models_are_told_apart()
    {
        var (one, other) = (Path.Combine(_folder.Path, "a", "causal"), Path.Combine(_folder.Path, "b", "causal"));
        TinyCausal.Write(one);
        TinyCausal.Write(other);
        Assert.Equal(ModelFolder.NameOf(one), ModelFolder.NameOf(other + "/"));
        Assert.StartsWith("causal ", ModelFolder.NameOf(one), StringComparison.Ordinal);
        var file = Directory.GetFiles(other, "*.safetensors").Single();
        var bytes = File.ReadAllBytes(file);
        bytes[^1] ^= 1;
        File.WriteAllBytes(file, bytes);
        Assert.NotEqual(ModelFolder.NameOf(one), ModelFolder.NameOf(other));
    }

    private string Model => Path.Combine(_folder.Path, "tiny");

    private IEnumerable<(string Router, double Perplexity)> Starts(RunLog log) =>
        from run in new CorruptionStudy(new Arguments([], "", "", [1]) { Model = Model, Steps = 3 }, new DataFolder("", null)).Runs
        where run.Key.Data == DataFolder.Snips
        select (run.Key.Arm.Split("; ")[0], log.Find(run.Key)!.Values[TunedGenerator.PerplexityAfter(0)]);

    private string Run(string study, int runs)
    {
        string[] rows = ["Label\tText", "a\tplay a song", "b\tset the alarm", "a\tplay some jazz", "b\twake me at six"];
        foreach (var name in new[] { "clinc150/clinc150.", "snips/snips.", "movie_sentences/" })
            foreach (var part in new[] { "train", "test" })
                _folder.Write($"{name}{part}.tsv", rows);
        TinyCausal.Write(Model);
        var output = Path.Combine(_folder.Path, "out");
        Assert.Equal(0, CommandLine.Run(
            [study, "--data", _folder.Path, "--out", output, "--seeds", "1", "--model", Model, "--steps", "3", "--threads", "1"]));
        Assert.Equal(runs, File.ReadAllLines(Path.Combine(output, "runs.jsonl")).Length);
        var report = File.ReadAllText(Path.Combine(output, study + ".md"));
        Assert.DoesNotContain("| – |", report, StringComparison.Ordinal);
        return report;
    }
}
