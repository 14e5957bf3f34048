using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Inputs;

namespace Microsoft.ML.Moe.Tests.LinearModels;

/// <summary>Rows and numbers for tests of the linear branch.</summary>
internal static class Rows
{
    public static LinearRow Of(string text, string? second = null, bool grams = false)
    {
        var builder = new LinearRowBuilder(grams);
        return second is null
            ? builder.Build(text, Words(text))
            : builder.Build(text, Words(text), second, Words(second));
    }

    public static List<Range> Words(string text)
    {
        var words = new List<Range>();
        WordSplitter.Split(text, words, int.MaxValue);
        return words;
    }

    /// <summary>Texts of two topics whose words tell them apart, with some words in common.</summary>
    public static LinearExamples Topics(int count, int seed)
    {
        string[][] own = [["sun", "warm", "sea", "beach"], ["snow", "cold", "ice", "ski"], ["wind", "leaf", "rain", "fog"]];
        var random = new Random(seed);
        var (rows, labels) = (new List<LinearRow>(), new int[count]);
        for (var i = 0; i < count; i++)
        {
            labels[i] = i % own.Length;
            var words = Enumerable.Range(0, 6).Select(_ => random.Next(3) == 0 ? own[labels[i]][random.Next(4)] : "word" + random.Next(20));
            rows.Add(Of(string.Join(' ', words)));
        }

        return new LinearExamples(rows, labels, [.. Enumerable.Repeat(1f, count)]);
    }

    /// <summary>A random sparse matrix whose last column is 1, labels and weights.</summary>
    public static (SparseRows X, int[] Labels, float[] Weights) Random(int rows, int columns, int classes, int seed)
    {
        var random = new Random(seed);
        var (offsets, indices, values) = (new int[rows + 1], new List<int>(), new List<float>());
        for (var i = 0; i < rows; i++)
        {
            for (var c = 0; c < columns; c++)
                if (c == columns - 1 || random.Next(3) == 0)
                {
                    indices.Add(c);
                    values.Add(c == columns - 1 ? 1f : random.NextSingle() * 2 - 1);
                }

            offsets[i + 1] = indices.Count;
        }

        return (
            new SparseRows(columns, offsets, [.. indices], [.. values]),
            [.. Enumerable.Range(0, rows).Select(_ => random.Next(classes))],
            [.. Enumerable.Range(0, rows).Select(_ => random.NextSingle() + 0.5f)]);
    }
}
