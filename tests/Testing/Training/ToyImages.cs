using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>Images that a small model learns in a second: a bar lies, stands, or there is none, at a random place among noise.</summary>
internal static class ToyImages
{
    public const int Classes = 3;

    public static ImageInput Input { get; } = new(6, 6, 1);

    public static ImageClassifierConfig Config(int epochs = 10) => new()
    {
        Encoder = ToyTable.Encoder with { Dropout = 0.1f },
        PatchSize = 2,
        Augmentation = new() { MaxRotation = 0 },
        Training = new() { BatchSize = 16, MaxEpochs = epochs, LearningRate = 5e-3f, Seed = 1 },
    };

    public static List<Example<ImagePixels>> Rows(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(i => new Example<ImagePixels>(Image(random, i % Classes), i % Classes))];
    }

    private static ImagePixels Image(Random random, int label)
    {
        var pixels = new float[Input.Length];
        foreach (ref var pixel in pixels.AsSpan())
            pixel = random.NextSingle();
        var place = random.Next(6);
        for (var i = 0; i < 6 && label < 2; i++)
            pixels[label == 0 ? place * 6 + i : i * 6 + place] += 2;
        return Input.Encode(pixels);
    }
}
