using System.Globalization;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Tests.Sweeps;

namespace Microsoft.ML.Moe.Tests.Endurance;

/// <summary>
/// A sweep whose process is killed, time and again, finds what it would have found: the same leaderboard and model, to the last bit.
/// </summary>
internal static class KilledSweep
{
    /// <summary>What the child is told to do.</summary>
    public const string Name = "sweep";

    /// <summary>Kills a sweep and takes it up again.</summary>
    /// <param name="kills">How often at most: a sweep that ends is begun anew only with the next call.</param>
    /// <param name="seed">After which lines of the journal, and how; with an odd one two trials run side by side.</param>
    public static SweepKillReport Run(int kills, int seed = 3)
    {
        using var folder = new TemporaryFolder();
        var (journal, result) = (folder["sweep.jsonl"], folder["result.txt"]);
        var (random, workers) = (new Random(seed), (1 + seed % 2).ToString(CultureInfo.InvariantCulture));
        var (killed, lines, drafts) = (0, 0, 0);
        while (killed < kills && !File.Exists(result))
        {
            using var child = new Child([], Name, journal, result, workers);
            for (var told = random.Next(1, 16); told > 0 && child.Read() is not null; told--)
                child.Answer();
            var (isLine, isDraft) = (false, false);
            switch (random.Next(4))
            {
                case 0: // when it has told of a line and waits
                    child.Read();
                    child.Kill();
                    break;
                case 1: // wherever it is, amid an epoch as a rule, or in what comes after the trials
                    Thread.SpinWait(random.Next(1 << 20));
                    child.Kill();
                    break;
                case 2:
                    isLine = KillAtChange(child, () => File.Exists(journal) ? $"{new FileInfo(journal).Length}" : "");
                    break;
                default:
                    isDraft = KillAtChange(child, () => Drafts(journal));
                    break;
            }

            if (File.Exists(result))
                break;
            (killed, lines, drafts) = (killed + 1, lines + (isLine ? 1 : 0), drafts + (isDraft ? 1 : 0));
        }

        using (var last = new Child([], Name, journal, result, workers))
            Assert.Equal(0, last.Finish().Code);
        var isWhole = SweepProcess.Sweep(null, 1, null).SequenceEqual(File.ReadAllLines(result));
        string[] left = [.. new DirectoryInfo(SweepFolder(journal)).GetFiles().Select(file => file.Name)];
        return new SweepKillReport(killed, lines, drafts, isWhole, left);
    }

    /// <summary>The child: sweeps with a journal, tells of every line in it, and writes what was found in the end.</summary>
    public static int Sweep(string journal, string result, int workers)
    {
        var found = SweepProcess.Sweep(journal, workers, trial => Child.Tell(trial.Number.ToString(CultureInfo.InvariantCulture)));
        AtomicFile.Write(result, stream =>
        {
            using var writer = new StreamWriter(stream, leaveOpen: true);
            foreach (var line in found)
                writer.WriteLine(line);
        });
        return 0;
    }

    /// <summary>Kills as soon as a file changes.</summary>
    /// <returns>Whether the child was still writing it, or had at least not told of it.</returns>
    private static bool KillAtChange(Child child, Func<string> state)
    {
        var before = state();
        while (true)
        {
            if (child.WaitUntil(() => state() is { Length: > 0 } now && now != before))
            {
                child.Kill();
                return child.Read() is null;
            }

            if (child.Read() is null)
                return false;
            before = state();
            child.Answer();
        }
    }

    /// <summary>The drafts of models, with when they were written.</summary>
    private static string Drafts(string journal) => Directory.Exists(SweepFolder(journal))
        ? string.Join(' ', Directory.GetFiles(SweepFolder(journal), "*" + AtomicFile.DraftSuffix)
            .Select(path => $"{path} {File.GetLastWriteTimeUtc(path):O}"))
        : "";

    private static string SweepFolder(string journal) => journal + ".files";
}

/// <summary>What has come of the kills of a sweep.</summary>
/// <param name="Kills">How many there were.</param>
/// <param name="Lines">How many of them while a line of the journal was written.</param>
/// <param name="Drafts">How many while a model, or what is kept beside it, was written.</param>
/// <param name="IsWhole">Whether leaderboard and predictions are those of a sweep that was not killed.</param>
/// <param name="Files">What is left beside the journal in the end.</param>
internal sealed record SweepKillReport(int Kills, int Lines, int Drafts, bool IsWhole, string[] Files);
