using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Text;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>A table that a small model learns in seconds: each class has words of its own among common ones.</summary>
internal static class ToyTable
{
    private static readonly string[] Common = ["the", "a", "please", "now", "my", "for", "today", "some"];

    private static readonly string[][] OwnWords =
    [
        ["music", "song", "playlist", "album"],
        ["rain", "weather", "sunny", "forecast"],
        ["alarm", "wake", "timer", "clock"],
    ];

    public static TextClassifierOptions Options(int epochs = 8) => new()
    {
        Width = 16,
        Layers = 1,
        Heads = 2,
        Experts = 3,
        ExpertsPerToken = 2,
        ExpertWidth = 16,
        HashBits = 10,
        MaximumTokens = 16,
        BatchSize = 16,
        MaxEpochs = epochs,
        Seed = 1,
    };

    public static List<(string Text, int Label)> Rows(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(i => (Sentence(random, i % OwnWords.Length), i % OwnWords.Length))];
    }

    public static List<LabelledRow<EncodedText>> Encoded(TextInput input, int count, int seed) =>
        [.. Rows(count, seed).Select(r => new LabelledRow<EncodedText>(input.Encode(r.Text), r.Label))];

    private static string Sentence(Random random, int label)
    {
        string[] words = [.. random.GetItems(Common, random.Next(2, 6)), .. random.GetItems(OwnWords[label], random.Next(1, 3))];
        random.Shuffle(words);
        return string.Join(' ', words);
    }
}
