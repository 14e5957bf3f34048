using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>
/// Training steps of the image classifier with all options at their defaults, on one batch: the same weights and images on every engine.
/// </summary>
internal static class ImageTraining
{
    private const int Classes = 10;
    private const int Rows = 64;
    private static readonly ImageInput Input = new(width: 32, height: 32, channels: 3);

    /// <summary>What the images are.</summary>
    public static string Description => $"{Input.Width}×{Input.Height}×{Input.Channels}";

    /// <summary>Creates the model; the engine is disposed with its steps.</summary>
    public static TrainingSteps<ImagePixels> CreateSteps(Engine engine)
    {
        var config = new ImageClassifierConfig { Training = new TrainingConfig { Seed = 1, BatchSize = Rows } };
        var random = new Random(1);
        Example<ImagePixels>[] rows = [.. Enumerable.Range(0, Rows).Select(i => new Example<ImagePixels>(Image(random), i % Classes))];
        var input = new PatchInput(config.Measure(rows, Input));
        var model = new Model<ImagePixels>(
            engine,
            new ModelConfig { Input = input.Config, Encoder = config.Encoder, Head = new ClassesHeadConfig { Classes = Classes } },
            input,
            new ParameterStore(engine, seed: 1));
        return new TrainingSteps<ImagePixels>(config.Training, model, input.CreatePacker(config.Augmentation), rows);
    }

    private static ImagePixels Image(Random random)
    {
        var pixels = new byte[Input.Length];
        random.NextBytes(pixels);
        return Input.Encode(pixels, Input.Width, Input.Height);
    }
}
