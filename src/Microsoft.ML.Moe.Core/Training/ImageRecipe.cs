using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// Which images a <see cref="ImageStem.Convolutional"/> stem is for, and what it makes of settings that are left at their defaults: small
/// blocks behind it, since it does most of the work, and few changes of many images.
/// </summary>
internal static class ImageRecipe
{
    private const int FewPixels = 64;
    private const int LargestSide = 96;

    private const int ManyRows = 20_000;

    private static readonly EncoderConfig UsualEncoder = new();
    private static readonly TrainingConfig UsualTraining = new();
    private static readonly AugmentationConfig UsualAugmentation = new();

    /// <summary>
    /// Whether convolutions at full resolution pay: not where there is no more than a token for each pixel, nor where they take too long.
    /// </summary>
    public static bool SuitsConvolutions(ImageInput images) =>
        images.Width * images.Height > FewPixels && Math.Max(images.Width, images.Height) <= LargestSide;

    /// <summary>The blocks; as many as there were where options count on them.</summary>
    public static EncoderConfig Of(EncoderConfig encoder) => encoder with
    {
        Width = Or(encoder.Width, UsualEncoder.Width, 64),
        Layers = encoder.MoeAt is null && encoder.MoeEvery <= 1 ? Or(encoder.Layers, UsualEncoder.Layers, 1) : encoder.Layers,
        Heads = Or(encoder.Heads, UsualEncoder.Heads, 2),
        Experts = Or(encoder.Experts, UsualEncoder.Experts, 8),
        ExpertWidth = Or(encoder.ExpertWidth, UsualEncoder.ExpertWidth, 128),
        Router = Or(encoder.Router, UsualEncoder.Router, Router.TokenChoice(1, normalizeWeights: false)),
    };

    /// <summary>The training.</summary>
    public static TrainingConfig Of(TrainingConfig training) => training with
    {
        LearningRate = Or(training.LearningRate, UsualTraining.LearningRate, 2e-3f),
        WarmupShare = Or(training.WarmupShare, UsualTraining.WarmupShare, 0.2f),
    };

    /// <summary>
    /// How images are changed while training: a table of many rows is seen too seldom to be learned by heart, and what is hard to recognise
    /// only costs passes.
    /// </summary>
    /// <param name="augmentation">What is asked for.</param>
    /// <param name="rows">Number of training rows.</param>
    public static AugmentationConfig Of(AugmentationConfig augmentation, int rows) => rows < ManyRows ? augmentation : augmentation with
    {
        MaxShift = Or(augmentation.MaxShift, UsualAugmentation.MaxShift, 0.04f),
        MaxZoom = Or(augmentation.MaxZoom, UsualAugmentation.MaxZoom, 0f),
        MaxRotation = Or(augmentation.MaxRotation, UsualAugmentation.MaxRotation, 0f),
        EraseRate = Or(augmentation.EraseRate, UsualAugmentation.EraseRate, 0f),
    };

    private static T Or<T>(T value, T usual, T own)
        where T : notnull => value.Equals(usual) ? own : value;
}
