namespace Microsoft.ML.Moe.Tests;

/// <summary>Small made-up tables: the classes use different words, so that a tiny model learns them.</summary>
internal static class Tables
{
    public static readonly string[] Classes = ["weather", "food", "travel"];

    private static readonly string[][] Words =
    [
        ["rain", "sun", "cloud", "storm", "wind"],
        ["bread", "soup", "apple", "cheese", "rice"],
        ["train", "plane", "ticket", "hotel", "road"],
    ];

    /// <summary>Rows of all classes in turn.</summary>
    public static List<Row> Rows(int count = 90, int seed = 1)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(i => new Row
        {
            Id = i,
            Text = Sentence(random, i % 3),
            Second = Sentence(random, i % 3),
            Label = Classes[i % 3],
            Number = 10 * (3 - (i % 3)),
            Flag = i % 3 == 1,
            Vector = [i, -i, i * 0.5f],
        })];
    }

    /// <summary>A sentence that belongs to a class.</summary>
    public static string Sentence(Random random, int label)
    {
        var words = Enumerable.Range(0, random.Next(3, 7)).Select(_ => Words[label][random.Next(5)]);
        return string.Join(' ', words);
    }
}
