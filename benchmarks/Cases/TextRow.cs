namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>A row of a table of texts.</summary>
internal sealed class TextRow
{
    private const int Classes = 150;
    private const int Vocabulary = 6000;
    private const int LongestWord = 7;

    public string Label { get; set; } = "";

    public string Text { get; set; } = "";

    /// <summary>
    /// Rows of a file with a header and, separated by a tab, label and text; in a random order that is the same on every call.
    /// </summary>
    /// <param name="file">The file.</param>
    /// <param name="most">The most rows to take; null for all.</param>
    /// <exception cref="InvalidDataException">A line has other than two columns.</exception>
    public static TextRow[] Read(FileInfo file, int? most)
    {
        var rows = File.ReadLines(file.FullName).Skip(1).Select((line, i) => line.Split('\t') is [var label, var text]
            ? new TextRow { Label = label, Text = text }
            : throw new InvalidDataException($"Line {i + 2} of '{file}' is not a label, a tab and a text.")).ToArray();
        new Random(1).Shuffle(rows);
        return most is { } count && count < rows.Length ? rows[..count] : rows;
    }

    /// <summary>
    /// The first rows of an endless table, the same on every call: made up, but in length and choice of words like questions to an
    /// assistant (CLINC150).
    /// </summary>
    public static TextRow[] Table(int rows)
    {
        var random = new Random(1);
        var words = Enumerable.Range(0, Vocabulary).Select(_ => Word(random)).ToArray();
        return [.. Enumerable.Range(0, rows).Select(i => new TextRow { Label = $"class {i % Classes}", Text = Sentence(random, words) })];
    }

    // 1 to 16 words, 8.5 in the mean.
    private static string Sentence(Random random, string[] words) => string.Join(
        ' ', Enumerable.Range(0, 1 + random.Next(6) + random.Next(6) + random.Next(6)).Select(_ => words[Rank(random)]));

    // By Zipf's law the word of rank r is as frequent as 1/r.
    private static int Rank(Random random) => (int)Math.Pow(Vocabulary, random.NextDouble()) - 1;

    private static string Word(Random random) =>
        string.Concat(Enumerable.Range(0, 1 + random.Next(LongestWord)).Select(_ => (char)('a' + random.Next(26))));
}
