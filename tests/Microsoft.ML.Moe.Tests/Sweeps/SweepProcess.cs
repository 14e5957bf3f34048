using System.Diagnostics;
using System.Globalization;

namespace Microsoft.ML.Moe.Tests.Sweeps;

/// <summary>
/// This assembly once more, as a program that sweeps: it tells of everything that happens and waits for an answer, or the end of the input, so that it can be
/// killed anywhere; in the end it writes what it has found.
/// </summary>
internal static class SweepProcess
{
    public const string Verb = "sweep";
    private const int Trials = 16;

    /// <summary>Starts the program.</summary>
    public static Process Start(string journal, string result, int workers) => Process.Start(
        new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            ArgumentList = { "exec", typeof(SweepProcess).Assembly.Location, Verb, journal, result, workers.ToString(CultureInfo.InvariantCulture) },
        })!;

    /// <summary>What the program does.</summary>
    public static int Run(string[] args)
    {
        if (args is not [Verb, var journal, var result, var workers])
            return 2;
        File.WriteAllLines(result, Sweep(journal, int.Parse(workers, CultureInfo.InvariantCulture), trial =>
        {
            Console.Out.WriteLine(trial.Number.ToString(CultureInfo.InvariantCulture));
            Console.In.ReadLine();
        }));
        return 0;
    }

    /// <summary>Sweeps, and gives what was found and what the model says.</summary>
    public static string[] Sweep(string? journal, int workers, Action<SweepTrial>? changed)
    {
        var ml = new MLContext(seed: 6);
        var data = TinySweeps.Table(ml);
        var sweep = TinySweeps.Classes(ml, o =>
        {
            (o.MaxTrials, o.Workers, o.EnsembleSize, o.ConfirmWinner) = (Trials, workers, 2, true);
            (o.JournalFile, o.TrialChanged) = (journal, changed);
        });
        var model = sweep.Fit(data);
        var scores = ml.Data.CreateEnumerable<Prediction>(model.Transform(data), reuseRowObject: false, ignoreMissingColumns: true)
            .Select(row => string.Join(' ', row.Score.Select(score => score.ToString("R", CultureInfo.InvariantCulture))));
        return [.. TinySweeps.Lines(sweep.Result!), .. scores];
    }
}
