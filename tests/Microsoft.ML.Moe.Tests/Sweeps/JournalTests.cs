using System.Text;
using Microsoft.ML.Moe.Sweeps.Journal;

namespace Microsoft.ML.Moe.Tests.Sweeps;

/// <summary>What a sweep keeps in its journal, and what becomes of it after an interruption.</summary>
public sealed class JournalTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("moe").FullName;
    private readonly MLContext _ml = new(seed: 6);

    private string File => Path.Combine(_folder, "sweep.jsonl");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_sweep_that_is_killed_time_and_again_ends_as_if_nothing_had_happened(int workers)
    {
        var result = Path.Combine(_folder, "result.txt");
        var random = new Random(workers);
        // the first amid the defaults, which go on from their checkpoint; the others wherever they are after one trial or more
        foreach (var lines in new[] { 4, 3, random.Next(16, 24), random.Next(16, 24), random.Next(16, 24) })
        {
            using var process = SweepProcess.Start(File, result, workers);
            for (var line = lines; line > 0; line--)
            {
                Assert.NotNull(process.StandardOutput.ReadLine());
                process.StandardInput.WriteLine();
                process.StandardInput.Flush();
            }

            process.Kill();
            process.WaitForExit();
            Assert.False(System.IO.File.Exists(result));
        }

        using (var last = SweepProcess.Start(File, result, workers))
        {
            last.StandardInput.Close();
            last.StandardOutput.ReadToEnd();
            last.WaitForExit();
            Assert.Equal(0, last.ExitCode);
        }

        Assert.Equal(SweepProcess.Sweep(null, 1, null), System.IO.File.ReadAllLines(result));
        // all that is left are the best models, and what the winner is compared with
        Assert.Equal(
            ["defaults.losses", "lock", "zip", "zip"],
            Directory.GetFiles(File + ".files").Select(Path.GetFileName).Select(name => name!.EndsWith(".zip", StringComparison.Ordinal) ? "zip" : name).Order());
    }

    [Fact]
    public void A_finished_sweep_is_not_trained_again_and_can_be_prolonged()
    {
        var data = TinySweeps.Table(_ml);
        var first = Sweep(data, 5);
        var began = 0;
        var again = Sweep(data, 5, _ => began++);
        Assert.Equal(TinySweeps.Lines(first), TinySweeps.Lines(again));
        Assert.Equal(0, began);
        var longer = Sweep(data, 9, _ => began++);
        Assert.True(began > 0);
        Assert.Equal(first.Trials.Select(trial => trial.Loss), longer.Trials.Take(5).Select(trial => trial.Loss));
        System.IO.File.Delete(File);
        Directory.Delete(File + ".files", recursive: true);
        Assert.Equal(TinySweeps.Lines(Sweep(data, 9)), TinySweeps.Lines(longer));
    }

    [Fact]
    public void A_half_written_last_line_is_passed_over_wherever_it_breaks_off()
    {
        var data = TinySweeps.Table(_ml);
        var expected = TinySweeps.Lines(Sweep(data, 4));
        var whole = System.IO.File.ReadAllBytes(File);
        var random = new Random(5);
        for (var cut = 0; cut < 6; cut++)
        {
            // before the sweep's last trial has ended
            var lines = Encoding.UTF8.GetString(whole).Split('\n');
            var line = random.Next(lines.Length - 4, lines.Length - 1);
            var kept = string.Join('\n', lines[..line]) + "\n" + lines[line][..random.Next(lines[line].Length)];
            System.IO.File.WriteAllText(File, kept);
            Assert.NotEmpty(SweepResult.Read(File).Trials);
            Assert.Equal(expected, TinySweeps.Lines(Sweep(data, 4)));
        }
    }

    [Fact]
    public void An_epoch_that_was_kept_but_not_written_down_is_not_trained_again()
    {
        var data = TinySweeps.Table(_ml);
        var interrupted = Path.Combine(_folder, "interrupted.jsonl");
        var expected = TinySweeps.Lines(Sweep(data, 2, trial =>
        {
            if (trial is not { Number: 0, Epochs.Count: 3, Verdict: SweepVerdict.Running })
                return;
            var lines = System.IO.File.ReadAllLines(File);
            Assert.Contains("\"epoch\":3", lines[^1], StringComparison.Ordinal);
            System.IO.File.WriteAllLines(interrupted, lines[..^1]);
            Directory.CreateDirectory(interrupted + ".files");
            System.IO.File.Copy(File + ".files/trial-0000.checkpoint", interrupted + ".files/trial-0000.checkpoint");
        }));
        var seen = new List<SweepTrial>();
        var sweep = TinySweeps.Prices(_ml, o => (o.MaxTrials, o.JournalFile, o.ConfirmWinner, o.TrialChanged) = (2, interrupted, true, seen.Add));
        sweep.Fit(data);
        Assert.Equal(expected, TinySweeps.Lines(sweep.Result!));
        Assert.Equal((0, 3), (seen[0].Number, seen[0].Epochs.Count));
        Assert.Single(System.IO.File.ReadAllLines(interrupted), line => line.Contains("\"kind\":\"begin\",\"trial\":0", StringComparison.Ordinal));
    }

    [Fact]
    public void A_journal_can_be_read_while_the_sweep_runs_but_not_written_by_another()
    {
        var data = TinySweeps.Table(_ml);
        var seen = new List<SweepTrial>();
        Exception? refused = null;
        Sweep(data, 3, trial =>
        {
            seen.Add(trial);
            Assert.Equal(trial.Epochs, SweepResult.Read(File).Trials[trial.Number].Epochs);
            refused ??= Assert.Throws<IOException>(() => Sweep(data, 3));
        });
        Assert.Contains("another process", refused!.Message, StringComparison.Ordinal);
        Assert.Equal(3, seen.Count(trial => trial.Verdict is not SweepVerdict.Running));
    }

    [Fact]
    public void A_journal_of_another_sweep_is_refused()
    {
        var data = TinySweeps.Table(_ml);
        Sweep(data, 1);
        Refused("rows", () => Sweep(TinySweeps.Table(_ml, 130), 1));
        Refused("seed 6, not 7", () => TinySweeps.Prices(_ml, o => (o.JournalFile, o.Seed) = (File, 7)).Fit(data));
        Refused("metric", () => TinySweeps.Prices(_ml, o => (o.JournalFile, o.Metric) = (File, SweepMetric.MeanAbsoluteError)).Fit(data));
        Refused("metric RootMeanSquaredError, not LogLoss", () => TinySweeps.Classes(_ml, o => o.JournalFile = File).Fit(data));
        Directory.Delete(File + ".files", recursive: true);
        Refused("the model of trial 0 is not in", () => Sweep(data, 1));

        void Refused(string what, Action act)
        {
            var message = Assert.Throws<InvalidDataException>(act).Message;
            Assert.Contains(what, message, StringComparison.Ordinal);
            Assert.Contains(File, message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("{}")]
    [InlineData("{\"kind\":\"party\"}")]
    [InlineData("{\"kind\":\"epoch\",\"trial\":99,\"epoch\":1,\"epochs\":2,\"trainingLoss\":1,\"at\":1}")]
    [InlineData("{\"kind\":\"end\",\"trial\":0,\"verdict\":\"Maybe\",\"seconds\":1,\"memory\":1,\"at\":1}")]
    [InlineData("null")]
    [InlineData("")]
    public void A_damaged_line_is_told_by_its_number(string line)
    {
        Sweep(TinySweeps.Table(_ml), 1);
        var lines = System.IO.File.ReadAllLines(File);
        System.IO.File.WriteAllLines(File, [.. lines[..2], line, .. lines[2..]]);
        Assert.Contains("line 3", Assert.Throws<InvalidDataException>(() => SweepResult.Read(File)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Lines_are_read_as_they_were_written()
    {
        JournalLine[] lines =
        [
            new EndLine(3, SweepVerdict.Failed, 1.25, 1 << 20, 2.5) { Error = "Ä\n\"b\"" },
            new EpochLine(3, 1, 9, 0.1 + 0.2, double.NaN, 3),
            new ConfirmationLine(3, 7, 0.5, -0.1, 0.01, 4),
        ];
        foreach (var line in lines)
        {
            var bytes = line.ToBytes();
            Assert.Equal(bytes.Length - 1, Array.IndexOf(bytes, (byte)'\n'));
            Assert.Equal(line, JournalLine.Parse(bytes.AsSpan(0, bytes.Length - 1)));
        }
    }

    private SweepResult Sweep(IDataView data, int trials, Action<SweepTrial>? changed = null)
    {
        var sweep = TinySweeps.Prices(_ml, o => (o.MaxTrials, o.JournalFile, o.ConfirmWinner, o.TrialChanged) = (trials, File, true, changed));
        (sweep.Fit(data) as IDisposable)?.Dispose();
        return sweep.Result!;
    }
}
