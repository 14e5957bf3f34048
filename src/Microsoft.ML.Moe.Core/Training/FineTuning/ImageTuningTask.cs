using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>What a training of a classifier of images with a published encoder works on.</summary>
/// <param name="source">The encoder.</param>
/// <param name="config">Of a mixture, its losses; dropout; seed.</param>
/// <param name="classes">Number of classes.</param>
internal sealed class ImageTuningTask(PublishedImageSource source, PublishedTrainingConfig config, int classes) : TuningTask<ImagePixels>
{
    /// <inheritdoc/>
    public override long Tokens => All.Sum(row => (long)source.Input.TokensOf(row.Input));

    /// <inheritdoc/>
    public override bool ReadsAsBefore => true;

    /// <summary>Images are moved, zoomed and the like, but not mixed.</summary>
    public override AugmentationConfig? Augmentation => config.Augmentation is null ? null : config.Augmentation with { MixupAlpha = 0f, CutMixAlpha = 0f };

    /// <inheritdoc/>
    public override Packer<ImagePixels>? CreateAugmentingPacker() => Augmentation is { } augmentation ? source.Input.CreatePacker(augmentation) : null;

    /// <summary>A model of the encoder, without dropout in its blocks; classes are scored by a special first token's last state too.</summary>
    public override Model<ImagePixels> CreateModel(Engine engine, int layers)
    {
        var head = new PooledClassesHeadConfig
        {
            Classes = classes,
            Layers = Math.Min(layers, source.Encoder.Layers),
            ReadsFirstToken = source.Encoder.SpecialTokens > 0,
            Dropout = config.FineTuning.Dropout,
        };
        var model = source.Folder.Load(
            engine,
            source.Input,
            head,
            config.Training.Seed,
            _ => source.Encoder with
            {
                LoadBalancingCoefficient = config.LoadBalancingCoefficient,
                RouterZLossCoefficient = config.RouterZLossCoefficient,
                Dropout = 0f,
                AttentionDropout = 0f,
            },
            source.Upcycling,
            source.BaseModel);
        if (source.Upcycling is { } upcycling)
            UpcycledRouters.Start(upcycling, model, [.. Training.Select(row => All[row].Input)]);
        return model;
    }
}
