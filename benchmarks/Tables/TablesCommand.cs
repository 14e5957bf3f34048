using System.CommandLine;
using System.Diagnostics;
using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Benchmarks.References;
using Microsoft.ML.Moe.Benchmarks.Reporting;
using MoeTool.Settings;

namespace Microsoft.ML.Moe.Benchmarks.Tables;

/// <summary>Mixtures on tables beside ML.NET's own trainers, in one run: how good they are, or, with <c>goals</c>, rows T1 and T2.</summary>
internal static class TablesCommand
{
    private static readonly Argument<DirectoryInfo> Folder = CreateFolder();

    private static readonly Option<string[]> Sets = List("--sets", "Tables.", "letter,california,satellite,adult,diamonds,wine,higgs");

    private static readonly Option<string[]> Learners = List(
        "--learners", "Who learns them: mixture, dense, lightgbm, lightgbm-tuned, fasttree, sdca.", "mixture,dense,lightgbm,fasttree,sdca");

    private static readonly Option<int> Seeds = Number("--seeds", "Trainings of each, with seeds from 1 on.", otherwise: 3, least: 1);

    private static readonly Option<int> Folds = Number("--folds", "Cross-validate the training rows in so many parts; 0 takes the test rows.", 0, 0);

    private static readonly Option<double?> Sweep = new("--sweep")
    {
        Description = "A sweep of so many minutes over each table instead, its winner beside the defaults.", HelpName = "MINUTES",
    };

    public static int Run(string[] args)
    {
        var root = new RootCommand("Mixtures on tables beside ML.NET's own trainers.")
        {
            Folder, Sets, Learners, Seeds, Folds, Sweep, CommandLine.Isa, CreateGoals(),
        };
        root.SetAction(result => Compare(
            result.GetValue(Folder)!.FullName,
            result.GetValue(Sets)!,
            result.GetValue(Learners)!,
            result.GetValue(Seeds),
            result.GetValue(Folds),
            result.GetValue(Sweep)));
        var parsed = root.Parse(args);
        return parsed.Errors.Count > 0
            ? parsed.Invoke()
            : ReferenceEnvironment.RunAgain(args, parsed.GetValue(CommandLine.Isa)) ?? parsed.Invoke();
    }

    private static System.CommandLine.Command CreateGoals()
    {
        var table = new Option<string>("--set") { Description = "The table, one of yes or no.", HelpName = "NAME", DefaultValueFactory = _ => "adult" };
        var goals = new System.CommandLine.Command("goals", "T1: time to be as good as LightGBM over its fit; T2: scoring over its scoring.")
        {
            Folder, table, CommandLine.Rounds, CommandLine.Threads, CommandLine.Json, CommandLine.Isa,
        };
        goals.SetAction(result =>
        {
            var set = TableSet.Open(result.GetValue(Folder)!.FullName, result.GetValue(table)!);
            if (set.Task != TableTask.Binary)
                throw new ArgumentException($"'{set.Name}' is no table of yes or no: the loss that an epoch tells is not what is evaluated.");
            var threads = result.GetValue(CommandLine.Threads)!;
            Report.Prepare();
            var figures = new List<Figure>();
            foreach (var count in threads.Length > 0 ? threads : [1, 2])
            {
                foreach (var figure in TableGoals.Measure(set, new PairedRunner(result.GetValue(CommandLine.Rounds)), count))
                {
                    Report.ShowProgress(figure);
                    figures.Add(figure);
                }
            }

            Report.ShowFigures(figures, (_, _, _) => 0, "Median of paired ratios");
            if (result.GetValue(CommandLine.Json) is { } file)
                JsonReport.Write(file, figures);
        });
        return goals;
    }

    private static void Compare(string folder, string[] sets, string[] learners, int seeds, int folds, double? minutes)
    {
        foreach (var name in sets)
        {
            var set = TableSet.Open(folder, name);
            if (minutes is { } budget)
            {
                TableSweep.Run(set, TimeSpan.FromMinutes(budget));
                continue;
            }

            foreach (var learner in learners)
                Console.WriteLine(TableRun.Of(set, learner, seeds, folds));
        }

        using var process = Process.GetCurrentProcess();
        Console.WriteLine($"Largest memory of the process: {process.PeakWorkingSet64 >> 20} MiB");
    }

    private static Argument<DirectoryInfo> CreateFolder()
    {
        var folder = new Argument<DirectoryInfo>("folder") { Description = "Has NAME.train.csv and NAME.test.csv; tables.py makes them." };
        return folder.AcceptExistingOnly();
    }

    private static Option<string[]> List(string name, string description, string otherwise) => new(name)
    {
        Description = description + " With commas between.",
        HelpName = "A,B",
        CustomParser = result => result.Tokens.Single().Value.Split(','),
        DefaultValueFactory = _ => otherwise.Split(','),
    };

    private static Option<int> Number(string name, string description, int otherwise, int least)
    {
        var option = new Option<int>(name) { Description = description, HelpName = "N", DefaultValueFactory = _ => otherwise };
        option.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && !(int.TryParse(token.Value, out var number) && number >= least))
                result.AddError($"{name} takes a whole number of at least {least}.");
        });
        return option;
    }
}
