using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Samples;

/// <summary>Tab-separated tables, each with a header.</summary>
/// <param name="Train">Path of the rows to learn from.</param>
/// <param name="Validation">Path of the rows that choose the best epoch.</param>
/// <param name="Test">Path of the rows to evaluate on.</param>
public sealed record DocTables(string Train, string Validation, string Test);

/// <summary>
/// Tables made from the XML documentation that every .NET SDK carries in its reference packs, as data for the samples. They are written
/// once for each SDK, below the folder for temporary files. No type is in two of the three tables.
/// </summary>
public static class DotNetDocs
{
    // Part of the folder's name: counts up when the same documentation gives other tables.
    private const int Version = 1;

    /// <summary>Sentences, and the namespace whose documentation they come from: columns <c>Label</c> and <c>Text</c>.</summary>
    /// <param name="share">Share of the rows that is taken, drawn at random, the same each time. Within (0, 1].</param>
    /// <exception cref="InvalidOperationException">There is no SDK, or it comes without documentation.</exception>
    public static DocTables Sentences(double share = 1)
    {
        // fewer still, for a quick look
        if (Environment.GetEnvironmentVariable("MLNETMOE_SAMPLE_SHARE") is { } given)
            share *= double.Parse(given, CultureInfo.InvariantCulture);
        var name = share < 1 ? string.Create(CultureInfo.InvariantCulture, $"Sentences{share}") : "Sentences";
        var random = new Random(1);
        return Written(
            name,
            "Label\tText",
            files => DocSentences.Load(files)
                .Map<DocSentence>(part => [.. part.Where(_ => random.NextDouble() < share)])
                .Select(sentence => $"{sentence.Label}\t{sentence.Text}"));
    }

    /// <summary>
    /// What a method does, and what a method returns: <c>Label</c> is <c>same</c> where <c>Sentence1</c> and <c>Sentence2</c> are about
    /// the same method, and <c>other</c> where the second is about another one of the same namespace.
    /// </summary>
    /// <exception cref="InvalidOperationException">There is no SDK, or it comes without documentation.</exception>
    public static DocTables Pairs() => Written(
        "Pairs",
        "Label\tSentence1\tSentence2",
        files => DocPairs.Load(files).Select(pair => $"{pair.Label}\t{pair.Sentence1}\t{pair.Sentence2}"));

    private static DocTables Written(string name, string header, Func<IReadOnlyList<string>, DocSplit<string>> rowsOf)
    {
        var files = ReferencePacks.DocumentationFiles();
        var folder = Path.Combine(Path.GetTempPath(), $"MlNetMoe-{Environment.UserName}", $"{name}-{KeyOf(files)}");
        if (!Directory.Exists(folder))
            Write(folder, header, rowsOf(files));
        return new DocTables(Path.Combine(folder, "train.tsv"), Path.Combine(folder, "validation.tsv"), Path.Combine(folder, "test.tsv"));
    }

    // All tables or none: two programs may do this at the same time, and one may be ended while it does.
    private static void Write(string folder, string header, DocSplit<string> rows)
    {
        var own = Directory.CreateDirectory($"{folder}.{Guid.NewGuid():N}").FullName;
        File.WriteAllLines(Path.Combine(own, "train.tsv"), rows.Train.Prepend(header));
        File.WriteAllLines(Path.Combine(own, "validation.tsv"), rows.Validation.Prepend(header));
        File.WriteAllLines(Path.Combine(own, "test.tsv"), rows.Test.Prepend(header));
        try
        {
            Directory.Move(own, folder);
        }
        catch (IOException) when (Directory.Exists(folder))
        {
            Directory.Delete(own, recursive: true);
        }
    }

    private static string KeyOf(IEnumerable<string> files)
    {
        var said = new StringBuilder().Append(Version);
        foreach (var file in files.Select(path => new FileInfo(path)))
            said.Append('\n').Append(file.FullName).Append(' ').Append(file.Length).Append(' ').Append(file.LastWriteTimeUtc.Ticks);
        return Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(said.ToString())))[..16];
    }
}
