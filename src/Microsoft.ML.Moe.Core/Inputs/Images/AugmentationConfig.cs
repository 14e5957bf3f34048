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
}
