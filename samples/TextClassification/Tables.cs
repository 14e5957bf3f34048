using Microsoft.ML;

namespace TextClassification;

/// <summary>The tables of a run, with the columns Label and Text.</summary>
/// <param name="Train">Rows to learn from.</param>
/// <param name="Validation">Rows that choose the best epoch, or null.</param>
/// <param name="Test">Rows to evaluate on.</param>
/// <param name="Examples">A few rows to show predictions for.</param>
/// <param name="Folder">Where the tables were written; null when they were there already.</param>
internal sealed record Tables(IDataView Train, IDataView? Validation, IDataView Test, IReadOnlyList<Example> Examples, string? Folder)
{
    private static readonly Example[] Sentences =
    [
        new() { Label = "System.Threading", Text = "Blocks the caller until the semaphore is released by another worker." },
        new() { Label = "System.Security", Text = "Encrypts a message with the public key of the certificate's owner." },
        new() { Label = "Microsoft.AspNetCore", Text = "Adds middleware that redirects unencrypted requests to HTTPS." },
    ];

    public static Tables Load(MLContext ml, Arguments arguments) =>
        arguments.Train is null ? FromDocumentation(ml) : FromFiles(ml, arguments, arguments.Train);

    private static Tables FromFiles(MLContext ml, Arguments arguments, string trainFile)
    {
        var train = Read(trainFile);
        var validation = arguments.Validation is null ? null : Read(arguments.Validation);
        IDataView test;
        if (arguments.Test is not null)
        {
            test = Read(arguments.Test);
        }
        else
        {
            var split = ml.Data.TrainTestSplit(train, testFraction: 0.2, seed: arguments.Seed);
            (train, test) = (split.TrainSet, split.TestSet);
        }
        return new Tables(train, validation, test, Spread(ml, test, 3), Folder: null);

        IDataView Read(string path) => TabSeparated.Load(ml, path, arguments.Label, arguments.Text);
    }

    // Rows from all over the table: many tables are ordered by label.
    private static Example[] Spread(MLContext ml, IDataView table, int count)
    {
        var step = Math.Max(1, ml.Data.CreateEnumerable<Example>(table, reuseRowObject: true).Count() / count);
        return ml.Data.CreateEnumerable<Example>(table, reuseRowObject: false).Where((_, row) => row % step == 0).Take(count).ToArray();
    }

    private static Tables FromDocumentation(MLContext ml)
    {
        Console.WriteLine("Reading the documentation that comes with the .NET SDK: from a sentence, tell the namespace it is about.");
        var split = DocSentences.Load(ReferencePacks.DocumentationFiles());
        Directory.CreateDirectory(Arguments.OutputFolder);
        return new Tables(
            Table("train", split.Train),
            Table("validation", split.Validation),
            Table("test", split.Test),
            Sentences,
            Arguments.OutputFolder);

        // Through a file, as any other table: it can be looked at, and given back as --train.
        IDataView Table(string name, IReadOnlyList<DocSentence> sentences)
        {
            var path = Path.Combine(Arguments.OutputFolder, name + ".tsv");
            TabSeparated.Save(path, sentences.Select(s => new Example { Label = s.Label, Text = s.Text }));
            return TabSeparated.Load(ml, path, nameof(Example.Label), nameof(Example.Text));
        }
    }
}
