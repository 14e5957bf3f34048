using Microsoft.ML.Moe;
using Samples;

namespace ImageClassification;

/// <summary>The command line.</summary>
internal sealed record Arguments
{
    /// <summary>Training images; null for the digits that come with this sample.</summary>
    public string? Data { get; init; }

    /// <summary>Test images; null holds out a fifth of the training images.</summary>
    public string? Test { get; init; }

    public string Model { get; init; } = Path.Combine(AppContext.BaseDirectory, "output", "model.zip");

    public int Seed { get; init; } = 1;

    public int? Size { get; init; }

    public bool Flip { get; init; }

    public int? Epochs { get; init; }

    public int? Threads { get; init; }

    public MoeDevice? Device { get; init; }

    public int? Experts { get; init; }

    public int? MoeEvery { get; init; }

    /// <summary>Makes sure that the model can be written, before time goes into training.</summary>
    /// <exception cref="UserException">The path is a folder.</exception>
    public void PrepareOutput() => OutputFile.Prepare(Model, "--model");

    /// <summary>Sets what the command line names; the rest stays at the library's defaults.</summary>
    public void ApplyTo(MoeImageClassificationTrainer.Options options)
    {
        options.ImageWidth = Size ?? options.ImageWidth;
        options.HorizontalFlip = Flip;
        options.MaxEpochs = Epochs ?? options.MaxEpochs;
        options.Threads = Threads ?? options.Threads;
        options.Device = Device ?? options.Device;
        options.Experts = Experts ?? options.Experts;
        options.MoeEvery = MoeEvery ?? options.MoeEvery;
    }
}
