using Microsoft.ML.Moe.Experiments.Data;
using Microsoft.ML.Moe.Experiments.Runs;
using Microsoft.ML.Moe.Experiments.Studies;

namespace Microsoft.ML.Moe.Experiments.Tests;

public class StudyTests
{
    [Fact]
    public void A_study_trains_what_is_not_finished_and_writes_its_tables()
    {
        using var folder = new TemporaryFolder();
        WriteTables(folder);
        string[] args =
        [
            "flops", "--data", folder.Path, "--out", Path.Combine(folder.Path, "out"), "--seeds", "1", "--epochs", "1", "--parallel", "2",
        ];
        Assert.Equal(0, CommandLine.Run(args));
        var log = Path.Combine(folder.Path, "out", "runs.jsonl");
        var lines = File.ReadAllLines(log);
        Assert.Equal(9, lines.Length); // three routers, three data sets
        var table = File.ReadAllText(Path.Combine(folder.Path, "out", "flops.md"));
        Assert.Contains("| Unified, k = 1.72, normalised, training-free", table, StringComparison.Ordinal);
        Assert.DoesNotContain("–", table, StringComparison.Ordinal);

        File.WriteAllLines(log, lines[1..]);
        Assert.Equal(0, CommandLine.Run(args));
        Assert.Equal(lines.Order(), File.ReadAllLines(log).Order(), (a, b) => a!.Split("\"seconds\"")[0] == b!.Split("\"seconds\"")[0]);
    }

    [Fact]
    public void Token_Choice_takes_part_only_with_whole_budgets_and_every_run_has_a_key_of_its_own()
    {
        var arguments = new Arguments([], "", "", [1, 2, 3, 4, 5]);
        Run[] runs = [.. new RouterStudy(arguments, new DataFolder("", null)).Runs];
        Assert.Equal(150, runs.Length);
        Assert.Equal(150, runs.Select(run => run.Key).Distinct().Count());
        Assert.DoesNotContain(runs, run => run.Key.Arm is "Token Choice, k = 0.5" or "Token Choice, k = 1.5");
    }

    [Fact]
    public void Seeds_are_finished_one_after_the_other()
    {
        var arguments = new Arguments([], "", "", [1, 2]);
        var folder = new DataFolder("", null);
        foreach (IStudy study in new IStudy[] { new RouterStudy(arguments, folder), new FineTuneStudy(arguments, folder) })
        {
            int[] seeds = [.. study.Runs.Select(run => run.Key.Seed)];
            Assert.Equal(seeds.Order(), seeds);
        }
    }

    [Fact]
    public void Tables_can_be_written_before_anything_is_finished()
    {
        using var folder = new TemporaryFolder();
        var arguments = new Arguments([], folder.Path, folder.Path, [1, 2]);
        var data = new DataFolder(folder.Path, null);
        var log = new RunLog(Path.Combine(folder.Path, "runs.jsonl"));
        IStudy[] studies =
        [
            new FineTuneStudy(arguments, data), new RouterStudy(arguments, data), new FlopsStudy(arguments, data),
            new InferenceStudy(arguments, data),
        ];
        Assert.All(studies, study => Assert.Contains("| ", study.Report(log), StringComparison.Ordinal));
    }

    private static void WriteTables(TemporaryFolder folder)
    {
        string[] rows = ["Label\tText", "a\tplay a song", "b\tset the alarm", "a\tplay some jazz", "b\twake me at six"];
        foreach (var name in new[] { "clinc150/clinc150.", "snips/snips.", "movie_sentences/" })
            foreach (var part in new[] { "train", "test" })
                folder.Write($"{name}{part}.tsv", rows);
    }
}
