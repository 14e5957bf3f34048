using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
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

    /// <summary>Word input of a small model.</summary>
    public static TextInputConfig Input { get; } = new() { HashBits = 10, MaximumTokens = 16 };

    /// <summary>A small encoder.</summary>
    public static EncoderConfig Encoder { get; } = new() { Width = 16, Layers = 1, Heads = 2, Experts = 3, ExpertWidth = 16 };

    public static TextClassifierConfig Config(int epochs = 8) => new()
    {
        Input = Input,
        Encoder = Encoder,
        Training = new() { BatchSize = 16, MaxEpochs = epochs, Seed = 1 },
    };

    public static List<(string Text, int Label)> Rows(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(i => (Sentence(random, i % OwnWords.Length), i % OwnWords.Length))];
    }

    public static List<Example<EncodedText>> Encoded(Input<EncodedText> input, int count, int seed) =>
        [.. Rows(count, seed).Select(r => new Example<EncodedText>(input.Encode(r.Text), r.Label))];

    private static string Sentence(Random random, int label)
    {
        string[] words = [.. random.GetItems(Common, random.Next(2, 6)), .. random.GetItems(OwnWords[label], random.Next(1, 3))];
        random.Shuffle(words);
        return string.Join(' ', words);
    }
}
