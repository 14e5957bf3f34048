// Mixtures on tables beside ML.NET's own trainers, in one run:
// FOLDER [--reach | --sweep MINUTES] [--sets a,b] [--learners mixture,dense,lightgbm,lightgbm-tuned,fasttree,sdca] [--seeds N] [--folds N].
// FOLDER has NAME.train.csv and NAME.test.csv; tables.py makes them.
using System.Globalization;
using Microsoft.ML.Moe.Benchmarks.Tables;

string Option(string name, string otherwise) =>
    Array.IndexOf(args, name) is var at and >= 0 && at + 1 < args.Length ? args[at + 1] : otherwise;

if (args.Length == 0 || !Directory.Exists(args[0]) || !int.TryParse(Option("--seeds", "3"), out var seeds) || seeds < 1
    || !int.TryParse(Option("--folds", "0"), out var folds) || folds is 1 or < 0
    || !double.TryParse(Option("--sweep", "0"), CultureInfo.InvariantCulture, out var minutes) || minutes < 0)
{
    Console.Error.WriteLine(
        "Usage: FOLDER [--reach | --sweep MINUTES] [--sets a,b] [--learners mixture,dense,lightgbm,lightgbm-tuned,fasttree,sdca] [--seeds N] [--folds N]; "
        + "tables.py makes the folder.");
    return 2;
}

var sets = Option("--sets", "letter,california,satellite,adult,diamonds,wine,higgs").Split(',');
var learners = Option("--learners", "mixture,dense,lightgbm,fasttree,sdca").Split(',');
foreach (var name in sets)
{
    var set = TableSet.Open(args[0], name);
    if (args.Contains("--reach"))
    {
        Console.WriteLine(TimeToReach.Of(set));
        continue;
    }

    if (minutes > 0)
    {
        TableSweep.Run(set, TimeSpan.FromMinutes(minutes));
        continue;
    }

    foreach (var learner in learners)
        Console.WriteLine(TableRun.Of(set, learner, seeds, folds));
}

using var process = System.Diagnostics.Process.GetCurrentProcess();
Console.WriteLine($"Largest memory of the process: {process.PeakWorkingSet64 >> 20} MiB");
return 0;
