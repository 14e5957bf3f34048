using System.Globalization;
using System.Reflection;
using MoeTool.Commands;
using Spectre.Console.Cli;

namespace MoeTool;

/// <summary>The commands, and what becomes of their failures.</summary>
internal static class App
{
    private const int Failed = 1;
    private const int WrongUsage = 2;

    /// <summary>Runs a command line and gives the exit code: 0, 1 after a failure, 2 when the arguments make no sense.</summary>
    public static int Run(IEnumerable<string> args, ToolConsole console)
    {
        string[] words = [.. args];
        var app = new CommandApp();
        app.Configure(config => Configure(config, console, words));
        return app.Run(words);
    }

    /// <summary>Adds the commands.</summary>
    /// <param name="config">Takes them.</param>
    /// <param name="console">Where they read and write.</param>
    /// <param name="args">The command line, to tell which of its options has an impossible value.</param>
    public static void Configure(IConfigurator config, ToolConsole console, IReadOnlyList<string> args)
    {
        config.SetApplicationName("moe");
        config.SetApplicationCulture(CultureInfo.InvariantCulture);
        config.UseStrictParsing();
        config.ConfigureConsole(console.Output);
        config.Settings.Registrar.RegisterInstance(console);
        config.SetInterceptor(new ValueCheck());
        config.SetExceptionHandler((failure, _) => Report(failure, args, console.Error));
        config.AddCommand<TrainTextCommand>("train-text")
            .WithDescription("Trains a classifier of texts, or of pairs of texts, and tests it.")
            .WithExample("train-text", "--train", "train.tsv", "--test", "test.tsv", "--label", "Intent",
                "--text", "Utterance", "--model", "intents.zip");
        config.AddCommand<TrainImagesCommand>("train-images").WithDescription("Trains a classifier of image files, and tests it.")
            .WithExample("train-images", "--data", "photos", "--size", "64", "--flip", "--model", "photos.zip");
        config.AddCommand<TrainTableCommand>("train-table")
            .WithDescription("Trains on a table of numbers and categories: classes, yes or no, or a number; and tests it.")
            .WithExample("train-table", "--train", "houses.csv", "--label", "Price", "--task", "regression", "--model", "houses.zip");
        config.AddCommand<SweepTextCommand>("sweep-text")
            .WithDescription("Searches for good options of a classifier of texts, and keeps the best model.")
            .WithExample("sweep-text", "--train", "train.tsv", "--label", "Intent", "--text", "Utterance", "--minutes", "20",
                "--journal", "sweep.jsonl", "--model", "intents.zip");
        config.AddCommand<SweepTableCommand>("sweep-table")
            .WithDescription("Searches for good options on a table of numbers and categories, and keeps the best model.")
            .WithExample("sweep-table", "--train", "houses.csv", "--label", "Price", "--task", "regression", "--minutes", "20", "--model", "houses.zip");
        config.AddCommand<SweepImagesCommand>("sweep-images")
            .WithDescription("Searches for good options of a classifier of image files, and keeps the best model.")
            .WithExample("sweep-images", "--data", "photos", "--size", "64", "--minutes", "20", "--model", "photos.zip");
        config.AddCommand<SweepTextToTextCommand>("sweep-text-to-text")
            .WithDescription("Searches for good options of a model that writes one text to another, and keeps the best.")
            .WithExample("sweep-text-to-text", "--from", "models/t5", "--train", "train.tsv", "--source", "Article", "--target", "Summary",
                "--metric", "rouge-lsum", "--minutes", "120", "--model", "summaries.zip");
        config.AddCommand<PretrainCommand>("pretrain").WithDescription("Trains an encoder on plain text, for train-text to start from.")
            .WithExample("pretrain", "--text-file", "corpus.txt", "--model", "encoder.zip");
        config.AddCommand<EvaluateCommand>("evaluate").WithDescription("Tests a saved model of classes, or of a table.")
            .WithExample("evaluate", "--model", "intents.zip", "--data", "test.tsv");
        config.AddCommand<PredictCommand>("predict")
            .WithDescription("Predicts with a saved model, rows of a file or lines of the standard input.")
            .WithExample("predict", "--model", "intents.zip", "--data", "new.tsv", "--out", "predicted.tsv");
        config.AddCommand<EmbedCommand>("embed").WithDescription("Makes vectors of the texts of a table with a published encoder.")
            .WithExample("embed", "--encoder", "MiniLM", "--in", "texts.tsv", "--text", "Text", "--out", "vectors.tsv");
        config.AddCommand<EvaluateEmbeddingsCommand>("evaluate-embeddings")
            .WithDescription("Tells what a published encoder's vectors are worth, by MTEB's protocols.")
            .WithExample("evaluate-embeddings", "--encoder", "MiniLM", "--task", "sts", "--data", "pairs.tsv", "--text", "First",
                "--text2", "Second", "--label", "Score");
        config.AddCommand<TrainTextToTextCommand>("train-text-to-text")
            .WithDescription("Fine-tunes a published encoder–decoder to write one text to another, or to tell classes, and tests it.")
            .WithExample("train-text-to-text", "--model", "models/switch-base-8", "--train", "train.tsv", "--prompt",
                "question: {Question} context: {Context}", "--target", "Answer", "--workspace", "qa", "--out", "answers.zip");
        config.AddCommand<TrainLanguageModelCommand>("train-language-model")
            .WithDescription("Fine-tunes a published causal language model on completions of prompts, or on plain texts, and tests it.")
            .WithExample("train-language-model", "--model", "models/olmoe", "--train", "train.tsv", "--prompt-column", "Question",
                "--completion", "Answer", "--chat", "--out", "assistant.zip");
        config.AddCommand<GenerateCommand>("generate")
            .WithDescription("Answers texts with a published language model, or tells its perplexity on texts.")
            .WithExample("generate", "--model", "models/olmoe", "--prompt", "The river", "--max-new-tokens", "40", "--router", "unified",
                "--experts-per-token", "6");
        config.AddCommand<EvaluateTextCommand>("evaluate-text")
            .WithDescription("Tells what generated texts are worth: SQuAD, ROUGE, GLUE, GSM8K, pass@k, perplexity.")
            .WithExample("evaluate-text", "--task", "rouge", "--data", "summaries.tsv", "--prediction", "Summary", "--reference", "Abstract");
        config.AddCommand<ReportCommand>("report")
            .WithDescription("Shows what the routers of a saved model do with rows, and compares routers.")
            .WithExample("report", "--model", "intents.zip", "--data", "test.tsv", "--html", "routing.html", "--compare");
    }

    /// <summary>Tells in one line why a command failed, and gives the exit code.</summary>
    private static int Report(Exception failure, IReadOnlyList<string> args, TextWriter error)
    {
        if (failure is not (CommandAppException or MissingValueException))
        {
            error.WriteLine("Error: " + OneLine(failure));
            return Failed;
        }

        error.WriteLine("Error: " + UsageError(failure, args));
        error.WriteLine("--help lists the commands and, after a command, its options.");
        return WrongUsage;
    }

    // The parser tells which value cannot be read, but not of which option it is.
    private static string UsageError(Exception failure, IReadOnlyList<string> args)
    {
        if (failure.InnerException?.Message.Contains(ValueCheck.Missing, StringComparison.Ordinal) == true)
            return $"{args[^1]} needs a value.";
        if (failure.InnerException is not FormatException { Message: var reason })
            return OneLine(failure);
        var option = args.Zip(args.Skip(1))
            .Concat(args.Select(word => word.Split('=', 2)).Where(parts => parts.Length > 1).Select(parts => (parts[0], parts[1])))
            .FirstOrDefault(pair => pair.Item1.StartsWith("--", StringComparison.Ordinal)
                && reason.EndsWith($"'{pair.Item2}'.", StringComparison.Ordinal))
            .Item1;
        return option is null ? reason : $"{option}: {reason}";
    }

    /// <summary>The innermost message, without the line that .NET adds for the parameter's name.</summary>
    internal static string OneLine(Exception failure)
    {
        while (failure.InnerException is { } inner && (failure is AggregateException or TargetInvocationException || IsOfMlNet(failure)))
            failure = inner;
        var message = failure.Message;
        if (failure is ArgumentException { ParamName: { Length: > 0 } name })
            message = message.Replace($" (Parameter '{name}')", "", StringComparison.Ordinal);
        return string.Join(' ', message.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

        // ML.NET reads rows on several threads, and says no more than that one of them failed.
        static bool IsOfMlNet(Exception failure) => failure.Message.StartsWith("Splitter/consolidator", StringComparison.Ordinal);
    }
}

/// <summary>Finds an option without a value at the end of the command line: the parser gives it a name of its own.</summary>
internal sealed class ValueCheck : ICommandInterceptor
{
    /// <summary>What stands for the value.</summary>
    public const string Missing = "__default_command";

    public void Intercept(CommandContext context, CommandSettings settings)
    {
        foreach (var property in settings.GetType().GetProperties())
        {
            if (property.GetValue(settings) is Missing or string[] and [.., Missing])
                throw new MissingValueException($"--{property.GetCustomAttribute<CommandOptionAttribute>()!.LongNames[0]} needs a value.");
        }
    }
}

/// <summary>An option has no value.</summary>
internal sealed class MissingValueException(string message) : Exception(message);

/// <summary>Something that the user can put right: shown as one line, without a stack trace.</summary>
internal sealed class UserException(string message) : Exception(message);
