using System.CommandLine;
using System.Diagnostics;
using System.Globalization;

namespace Microsoft.ML.Moe.Tests.Endurance;

/// <summary>
/// The long form: <c>dotnet run -c Release --project tests/Endurance</c>. Started again as a child, what is to be killed.
/// </summary>
internal static class Program
{
    private static readonly Option<int> Kills = Of("--kills", "Kills of each kind.", 100);
    private static readonly Option<int> SweepKills = Of("--sweep-kills", "Kills of sweeps.", 50);
    private static readonly Option<int> Threads = Of("--threads", "Threads that predict.", 32);
    private static readonly Option<int> PerThread = Of("--per-thread", "Predictions of a thread.", 10_000);
    private static readonly Option<int> Fits = Of("--fits", "Trainings with a context each.", 200);
    private static readonly Option<int> Predictions = Of("--predictions", "Predictions one after another.", 100_000);

    private static int Main(string[] args)
    {
        switch (args)
        {
            case [KilledTraining.Name, var checkpoint, var result]:
                return KilledTraining.Train(checkpoint, result);
            case [KilledSaving.Name, var one, var other, var target]:
                return KilledSaving.Save(one, other, target);
            case [KilledSweep.Name, var journal, var found, var workers]:
                return KilledSweep.Sweep(journal, found, int.Parse(workers, CultureInfo.InvariantCulture));
            case [Soak.Name, var what, var times]:
                return Soak.Run(what, int.Parse(times, CultureInfo.InvariantCulture));
            case [FullDisk.Name, var disk]:
                return FullDisk.Fill(disk);
        }

        var root = new RootCommand(
            "Kills, fills disks, and trains and predicts for long; prints a table of what was lost. What is given 0 is left out.")
        {
            Kills, SweepKills, Threads, PerThread, Fits, Predictions,
        };
        root.SetAction(Run);
        return root.Parse(args).Invoke();
    }

    private static Option<int> Of(string name, string description, int usual) =>
        new(name) { Description = description, HelpName = "N", DefaultValueFactory = _ => usual };

    private static void Run(ParseResult parsed)
    {
        Console.WriteLine("| what | seen | seconds |");
        Console.WriteLine("|---|---|---|");
        var kills = parsed.GetValue(Kills);
        Row($"{kills} kills while fitting", () => KillText(kills, (n, seed) => KilledTraining.Run(n, whileWriting: false, seed)), kills);
        Row(
            $"{kills} kills while a checkpoint is written",
            () => KillText(kills, (n, seed) => KilledTraining.Run(n, whileWriting: true, seed)),
            kills);
        Row($"{kills} kills while a model is saved", () => KillText(kills, KilledSaving.Run), kills);
        Row($"{parsed.GetValue(SweepKills)} kills of sweeps", () => SweepKillText(parsed.GetValue(SweepKills)), parsed.GetValue(SweepKills));
        Row(
            "disk full",
            () => !FullDisk.IsPossible ? "not possible here" : FullDisk.Run() is { Length: > 0 } wrong ? wrong : "nothing lost");
        var (threads, each) = (parsed.GetValue(Threads), parsed.GetValue(PerThread));
        Row(
            string.Create(CultureInfo.InvariantCulture, $"{threads} threads × {each:N0} predictions"),
            () => string.Create(CultureInfo.InvariantCulture, $"{ManyThreads.Run(threads, each)} differ"),
            threads);
        Row($"{parsed.GetValue(Fits)} trainings with a context each", () => Soak.Fit(parsed.GetValue(Fits)).ToString(), parsed.GetValue(Fits));
        var predictions = parsed.GetValue(Predictions);
        Row(string.Create(CultureInfo.InvariantCulture, $"{predictions:N0} predictions"), () => Soak.Predict(predictions).ToString(), predictions);
    }

    private static void Row(string what, Func<string> run, int times = 1)
    {
        if (times == 0)
            return;
        var clock = Stopwatch.StartNew();
        var seen = run();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {what} | {seen} | {clock.Elapsed.TotalSeconds:0} |"));
    }

    private static string KillText(int kills, Func<int, int, KillReport> run)
    {
        // a training has so many steps: after some kills it ends, and another begins
        var (done, drafts, runs, whole) = (0, 0, 0, 0);
        for (; done < kills; runs++)
        {
            var report = run(kills - done, 3 + runs);
            done += Math.Max(report.Kills, 1);
            drafts += report.Drafts;
            whole += report.IsWhole ? 1 : 0;
        }

        return string.Create(
            CultureInfo.InvariantCulture, $"{done} kills in {runs} runs, {drafts} left a draft; {whole} of {runs} runs lost nothing");
    }

    private static string SweepKillText(int kills)
    {
        // by turns with one trial at a time and with two
        const int MostOfOne = 20;
        var (done, lines, drafts, sweeps, whole) = (0, 0, 0, 0, 0);
        for (; done < kills; sweeps++)
        {
            var report = KilledSweep.Run(Math.Min(MostOfOne, kills - done), 3 + sweeps);
            done += report.Kills;
            lines += report.Lines;
            drafts += report.Drafts;
            whole += report.IsWhole ? 1 : 0;
        }

        return string.Create(
            CultureInfo.InvariantCulture,
            $"{done} kills in {sweeps} sweeps, {lines} while a line of the journal was written, {drafts} while a model was; "
            + $"{whole} of {sweeps} sweeps found the same");
    }
}
