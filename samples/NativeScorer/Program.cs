// Scores texts with a model zip of mlContext.Model.Save, without ML.NET: fit for native AOT.
using System.Diagnostics;
using System.Globalization;
using Microsoft.ML.Moe.Models;

if (args.Length == 0)
{
    Console.Error.WriteLine("NativeScorer model.zip [text …]: scores the texts, or without any the lines of standard input; a tab parts the texts of a pair.");
    return 1;
}

try
{
    using var classifier = SavedTextClassifier.Load(args[0]);
    if (args.Length > 1)
        Score(classifier, args[1..]);
    else
        ScoreLines(classifier);
    return 0;
}
catch (Exception e) when (e is InvalidDataException or IOException or InvalidOperationException or ArgumentException)
{
    Console.Error.WriteLine(e.Message);
    return 2;
}

// Lines go through in batches, which costs less for each than one by one.
static void ScoreLines(SavedTextClassifier classifier)
{
    const int Batch = 64;
    var (lines, clock) = (0, Stopwatch.StartNew());
    foreach (var batch in ReadLines().Chunk(Batch))
    {
        Score(classifier, batch);
        lines += batch.Length;
    }

    Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{lines} texts, {lines / clock.Elapsed.TotalSeconds:0} a second"));
}

static IEnumerable<string> ReadLines()
{
    while (Console.In.ReadLine() is { } line)
        yield return line;
}

// The model of pairs reads two texts of a line, any other model the line as it is.
static void Score(SavedTextClassifier classifier, string[] lines)
{
    var classes = classifier.Labels.Count;
    var probabilities = new float[lines.Length * classes];
    if (classifier.ReadsPairs)
    {
        var pairs = Array.ConvertAll(lines, line => line.Split('\t', 2));
        classifier.Score(Array.ConvertAll(pairs, pair => pair[0]), Array.ConvertAll(pairs, pair => pair.Length > 1 ? pair[1] : ""), probabilities);
    }
    else
    {
        classifier.Score(lines, probabilities);
    }

    foreach (var row in probabilities.Chunk(classes))
    {
        var best = row.AsSpan().IndexOf(row.Max());
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{classifier.Labels[best]}\t{row[best]:R}"));
    }
}
