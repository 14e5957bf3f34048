using System.CommandLine;
using System.CommandLine.Invocation;
using System.Globalization;

namespace Microsoft.ML.Moe.Experiments;

/// <summary>Reads the command line and turns failures into one line and an exit code.</summary>
internal static class CommandLine
{
    private const string All = "all";
    private const int Failed = 1;
    private const int WrongUsage = 2;

    private static readonly Argument<string[]> Studies = new("studies")
    {
        Description = $"What to find out: some of {string.Join(", ", Suite.Names)}, or {All}: {string.Join(", ", Suite.All)}.",
        DefaultValueFactory = _ => [All],
    };

    private static readonly Option<string> Data = new("--data")
    {
        Description = "Folder with clinc150, snips, movie_sentences and corpus.",
        HelpName = "FOLDER",
        Required = true,
    };

    private static readonly Option<string> Output = new("--out")
    {
        Description = "Folder for the log of finished runs and the tables. What it holds already is not run again.",
        HelpName = "FOLDER",
        DefaultValueFactory = _ => "experiments-results",
    };

    private static readonly Option<int[]> Seeds = new("--seeds")
    {
        Description = "Seeds of the training runs: one, or a range. Default 1-5.",
        HelpName = "N[-M]",
        DefaultValueFactory = _ => [1, 2, 3, 4, 5],
        CustomParser = argument =>
        {
            var token = argument.Tokens[0].Value;
            if (ParseRange(token) is { } range)
                return range;
            argument.AddError($"--seeds takes a whole number or a range such as 1-5, not '{token}'.");
            return [];
        },
    };

    private static readonly Option<int?> Threads = Number("--threads", "Worker threads of all runs together. Default: all processors.");
    private static readonly Option<int?> Parallel = Number("--parallel", "Runs trained at the same time, sharing the threads. Default 1.");
    private static readonly Option<int?> Epochs = Number("--epochs", "Passes over the training rows instead of those prescribed.");
    private static readonly Option<int?> Rows = Number("--rows", "Rows of each table at most, to try the program out. Default: all.");

    private static readonly Option<string[]> Sets = new("--sets")
    {
        Description = "Sets of the study 'linear', or of 'images', 'image-stems' and 'image-encoder': digits, fashion-mnist, trashnet, shapes. Default: all, "
            + "of 'images' the last three, of 'image-stems' fashion-mnist and trashnet, of 'image-encoder' trashnet.",
        HelpName = "NAME",
        AllowMultipleArgumentsPerToken = true,
    };

    private static readonly Option<string[]> Arms = new("--arms")
    {
        Description = "Only the runs of what the tables call so. Default: all.",
        HelpName = "NAME",
        AllowMultipleArgumentsPerToken = true,
    };

    private static readonly Option<string?> Encoder = new("--encoder")
    {
        Description = "Published encoder that the study 'linear' begins with: minilm, or a folder. Default: none.",
        HelpName = "NAME",
    };

    private static readonly Option<int?> Steps = Number("--steps", "Steps of pretraining, or of tuning a model that writes. Default: those prescribed.");

    private static readonly Option<string?> Model = new("--model")
    {
        Description = "Folder of the pretrained model of 'text-to-text', 'training-free', 'corruption' and 'uncertainty'.",
        HelpName = "FOLDER",
    };

    private static readonly Option<string?> Vocabulary = new("--vocabulary")
    {
        Description = "Pieces of language models: a *.vocab file of SentencePiece's spm_train. Default: bytes.",
        HelpName = "FILE",
    };

    private static readonly Option<bool> ReportOnly = new("--report-only")
    {
        Description = "Train nothing; write the tables of the finished runs.",
    };

    /// <summary>Runs what is asked for and gives the exit code: 0, 1 after a failure, 2 when the arguments make no sense.</summary>
    public static int Run(string[] args)
    {
        var result = Parse(args);
        if (result.Action is not ParseErrorAction)
            return result.Invoke();
        foreach (var error in result.Errors.Select(e => e.Message).Distinct())
            Console.Error.WriteLine("Error: " + error);
        Console.Error.WriteLine("--help lists the options.");
        return WrongUsage;
    }

    internal static ParseResult Parse(string[] args)
    {
        var root = new RootCommand("Repeats the experiments of GW-MoE and USMoE at a small scale. It can be stopped and started again.")
        {
            Studies, Data, Output, Seeds, Threads, Parallel, Epochs, Rows, Sets, Arms, Encoder, Steps, Model, Vocabulary, ReportOnly,
        };
        root.Validators.Add(result =>
        {
            foreach (var name in result.GetValue(Studies) ?? [])
                if (!Suite.Names.Prepend(All).Contains(name, StringComparer.Ordinal))
                    result.AddError($"There is no study '{name}'; known are {All}, {string.Join(", ", Suite.Names)}.");
        });
        root.SetAction((result, stop) => Task.FromResult(Guarded(() => Suite.Run(Read(result), stop))));
        return root.Parse(args);
    }

    internal static Arguments Read(ParseResult result)
    {
        var studies = result.GetValue(Studies)!;
        if (studies.Contains(All, StringComparer.Ordinal))
            studies = [.. Suite.All];
        var arguments = new Arguments([.. studies.Distinct()], result.GetValue(Data)!, result.GetValue(Output)!, result.GetValue(Seeds)!)
        {
            Epochs = result.GetValue(Epochs),
            Rows = result.GetValue(Rows),
            Sets = result.GetValue(Sets) is { Length: > 0 } sets ? sets : null,
            Arms = result.GetValue(Arms) is { Length: > 0 } arms ? arms : null,
            Encoder = result.GetValue(Encoder),
            Steps = result.GetValue(Steps),
            Model = result.GetValue(Model),
            Vocabulary = result.GetValue(Vocabulary),
            ReportOnly = result.GetValue(ReportOnly),
        };
        return arguments with
        {
            Threads = result.GetValue(Threads) ?? arguments.Threads,
            Parallel = result.GetValue(Parallel) ?? arguments.Parallel,
        };
    }

    private static int[]? ParseRange(string text)
    {
        if (int.TryParse(text, CultureInfo.InvariantCulture, out var single))
            return [single];
        return text.Split('-') is [var first, var last]
            && int.TryParse(first, CultureInfo.InvariantCulture, out var from)
            && int.TryParse(last, CultureInfo.InvariantCulture, out var to)
            && from <= to
            ? [.. Enumerable.Range(from, to - from + 1)]
            : null;
    }

    private static int Guarded(Action work)
    {
        try
        {
            work();
            return 0;
        }
        catch (OperationCanceledException)
        {
            Console.Error.WriteLine("Stopped. The same command goes on where it was.");
            return Failed;
        }
        catch (Exception failure)
        {
            while (failure is AggregateException { InnerException: { } inner })
                failure = inner;
            Console.Error.WriteLine("Error: " + failure.Message);
            return Failed;
        }
    }

    private static Option<int?> Number(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "N",
        CustomParser = argument =>
        {
            var token = argument.Tokens[0].Value;
            if (int.TryParse(token, CultureInfo.InvariantCulture, out var number) && number >= 1)
                return number;
            argument.AddError($"{name} takes a whole number of at least 1, not '{token}'.");
            return null;
        },
    };
}
