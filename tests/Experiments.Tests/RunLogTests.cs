using Microsoft.ML.Moe.Experiments.Runs;

namespace Microsoft.ML.Moe.Experiments.Tests;

public class RunLogTests
{
    private static readonly RunKey First = new("study", "data", "arm, \"k\" = 1.5", 1, "epochs 1");

    [Fact]
    public void What_is_logged_is_found_again_by_the_next_program()
    {
        using var folder = new TemporaryFolder();
        var file = Path.Combine(folder.Path, "runs.jsonl");
        new RunLog(file).Add(Result(First, 0.1 + 0.2));
        var log = new RunLog(file);
        Assert.Equal(0.1 + 0.2, log.Find(First)!.Values["accuracy"]);
        Assert.Null(log.Find(First with { Seed = 2 }));
        Assert.Null(log.Find(First with { Settings = "epochs 2" }));
    }

    [Fact]
    public void A_line_that_was_cut_off_is_run_again_and_spoils_no_other()
    {
        using var folder = new TemporaryFolder();
        var file = Path.Combine(folder.Path, "runs.jsonl");
        var second = First with { Seed = 2 };
        var log = new RunLog(file);
        log.Add(Result(First, 1));
        log.Add(Result(second, 2));
        File.WriteAllText(file, File.ReadAllText(file)[..^20]);

        log = new RunLog(file);
        Assert.NotNull(log.Find(First));
        Assert.Null(log.Find(second));
        log.Add(Result(second, 3));
        log = new RunLog(file);
        Assert.Equal(1, log.Find(First)!.Values["accuracy"]);
        Assert.Equal(3, log.Find(second)!.Values["accuracy"]);
    }

    [Fact]
    public void A_run_that_is_stopped_leaves_no_trace_and_the_finished_ones_stay()
    {
        using var folder = new TemporaryFolder();
        using var stop = new CancellationTokenSource();
        var log = new RunLog(Path.Combine(folder.Path, "runs.jsonl"));
        var second = First with { Seed = 2 };
        Run[] runs =
        [
            new(First, (_, _) => new Dictionary<string, double> { ["accuracy"] = 1 }),
            new(second, (_, _) =>
            {
                stop.Cancel();
                return new Dictionary<string, double> { ["accuracy"] = 2 };
            }),
        ];
        Assert.Throws<OperationCanceledException>(() => new Runner(log, parallel: 1, threads: 1).Execute(runs, stop.Token));
        Assert.NotNull(log.Find(First));
        Assert.Null(log.Find(second));
    }

    private static RunResult Result(RunKey key, double accuracy) =>
        new(key, new Dictionary<string, double> { ["accuracy"] = accuracy }, 1);
}
