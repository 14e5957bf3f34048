using Microsoft.ML.Moe.Images;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Models;

/// <summary>
/// Architecture and training of an <see cref="ImageClassifier"/>, a vision transformer. The defaults suit tables of a thousand to ten
/// thousand small images; every one of them can stay as it is.
/// </summary>
public class ImageClassifierOptions : EncoderOptions, IClassifierOptions
{
    /// <summary>Sets the default that differs from that of text models: a tenth of dropout.</summary>
    public ImageClassifierOptions() => Dropout = 0.1f;

    /// <summary>
    /// Side of the square patches that an image is divided into, in pixels: one token each. Within [1, 64]; null takes the smallest,
    /// of 2 at least, with at most 64 patches. Default null.
    /// </summary>
    public int? PatchSize { get; set; }

    /// <summary>
    /// What a patch sees of its neighbours on each side, as a share of its size: with 0.5 neighbouring patches overlap by half of what
    /// they see. Within [0, 1]. Default 0.5.
    /// </summary>
    public float PatchMargin { get; set; } = 0.5f;

    /// <summary>
    /// 3×3 convolutions over the patches before the transformer blocks: they know that neighbours belong together, which a transformer
    /// has to learn (Xiao et al. 2021, "Early convolutions help transformers see better"). Within [0, 8]. Default 2.
    /// </summary>
    public int Convolutions { get; set; } = 2;

    /// <summary>Largest random shift of an image while training, as a share of its width and height, within [0, 0.5]. Default 0.1.</summary>
    public float MaxShift { get; set; } = 0.1f;

    /// <summary>
    /// Largest random zoom while training: images are scaled by e^−z to e^z. Within [0, 1]. Default 0.1.
    /// </summary>
    public float MaxZoom { get; set; } = 0.1f;

    /// <summary>Largest random rotation while training, in degrees, within [0, 180]. Default 10.</summary>
    public float MaxRotation { get; set; } = 10f;

    /// <summary>
    /// Whether half of the images are mirrored, left to right, while training: for photographs, but not for writing. Default false.
    /// </summary>
    public bool HorizontalFlip { get; set; }

    /// <summary>
    /// Probability that a rectangle of 2 to 20 % of an image is blanked while training (Zhong et al. 2020). Within [0, 1). Default 0.25.
    /// </summary>
    public float EraseRate { get; set; } = 0.25f;

    /// <inheritdoc/>
    public float LabelSmoothing { get; set; } = 0.1f;

    /// <inheritdoc/>
    public ClassWeighting ClassWeighting { get; set; } = ClassWeighting.None;

    /// <inheritdoc/>
    public GlobalWorkspaceSettings? GlobalWorkspace { get; set; }

    /// <inheritdoc/>
    public override void Validate()
    {
        base.Validate();
        if (PatchSize is { } size)
            OptionCheck.Range(size, 1, 64, nameof(PatchSize));
        OptionCheck.Range(PatchMargin, 0f, 1f, nameof(PatchMargin));
        OptionCheck.Range(Convolutions, 0, 8, nameof(Convolutions));
        OptionCheck.Range(MaxShift, 0f, 0.5f, nameof(MaxShift));
        OptionCheck.Range(MaxZoom, 0f, 1f, nameof(MaxZoom));
        OptionCheck.Range(MaxRotation, 0f, 180f, nameof(MaxRotation));
        OptionCheck.Rate(EraseRate, nameof(EraseRate));
        OptionCheck.Classifier(this, Experts);
    }

    /// <summary>How much images are changed while training.</summary>
    internal AugmentationOptions Augmentation => new(MaxShift, MaxZoom, MaxRotation, EraseRate, HorizontalFlip);
}
