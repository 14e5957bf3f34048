namespace Microsoft.ML.Moe.Inputs;

/// <summary>How much images are changed at random while training.</summary>
public sealed record AugmentationConfig
{
    /// <summary>Largest random shift of an image, as a share of its width and height, within [0, 0.5]. Default 0.1.</summary>
    public float MaxShift { get; init => field = OptionCheck.Range(value, 0f, 0.5f, nameof(MaxShift)); } = 0.1f;

    /// <summary>Largest random zoom: images are scaled by e^−z to e^z. Within [0, 1]. Default 0.1.</summary>
    public float MaxZoom { get; init => field = OptionCheck.Range(value, 0f, 1f, nameof(MaxZoom)); } = 0.1f;

    /// <summary>Largest random rotation in degrees, within [0, 180]. Default 10.</summary>
    public float MaxRotation { get; init => field = OptionCheck.Range(value, 0f, 180f, nameof(MaxRotation)); } = 10f;

    /// <summary>
    /// Probability that a rectangle of 2 to 20 % of an image is blanked (Zhong et al. 2020). Within [0, 1). Default 0.25.
    /// </summary>
    public float EraseRate { get; init => field = OptionCheck.Rate(value, nameof(EraseRate)); } = 0.25f;

    /// <summary>Whether half of the images are mirrored, left to right: for photographs, but not for writing. Default false.</summary>
    public bool HorizontalFlip { get; init; }

    /// <summary>Whether rows and columns of half of the images change places: for what has neither up nor down. Default false.</summary>
    public bool Transposition { get; init; }

    /// <summary>
    /// Least share of an image's area that is shown, enlarged to the whole: a random crop (Szegedy et al. 2015, "Going deeper with
    /// convolutions"). Within [0.01, 1]. Default 1: all of it.
    /// </summary>
    public float LeastCrop { get; init => field = OptionCheck.Range(value, 0.01f, 1f, nameof(LeastCrop)); } = 1f;

    /// <summary>
    /// How much brightness, contrast and, in colours, saturation change at random: each by a factor, or a share of the deviation, of up to
    /// this. Within [0, 1]. Default 0.
    /// </summary>
    public float ColourJitter { get; init => field = OptionCheck.Range(value, 0f, 1f, nameof(ColourJitter)); }

    /// <summary>
    /// Operations that each image goes through, drawn at random with equal probability: N of RandAugment (Cubuk et al. 2020). Within [0,
    /// 10]. Default 0.
    /// </summary>
    public int RandomOperations { get; init => field = OptionCheck.Range(value, 0, 10, nameof(RandomOperations)); }

    /// <summary>How strong they are: M of RandAugment as a share of its largest. Within [0, 1]. Default 0.3.</summary>
    public float RandomMagnitude { get; init => field = OptionCheck.Range(value, 0f, 1f, nameof(RandomMagnitude)); } = 0.3f;

    /// <summary>
    /// α of mixup (Zhang et al. 2018): images of a batch, and their labels, are mixed in pairs by a share from Beta(α, α). Within [0, 10];
    /// 0, the default, mixes none.
    /// </summary>
    public float MixupAlpha { get; init => field = OptionCheck.Range(value, 0f, 10f, nameof(MixupAlpha)); }

    /// <summary>
    /// α of CutMix (Yun et al. 2019): a rectangle of each image of a batch comes from another, and as much of its label. Within [0, 10];
    /// 0, the default, cuts none. With <see cref="MixupAlpha"/> too, either is drawn for each batch.
    /// </summary>
    public float CutMixAlpha { get; init => field = OptionCheck.Range(value, 0f, 10f, nameof(CutMixAlpha)); }

    /// <summary>Whether images of a batch are mixed.</summary>
    internal bool Mixes => MixupAlpha > 0 || CutMixAlpha > 0;
}
