namespace Microsoft.ML.Moe.Images;

/// <summary>How much images are changed while training.</summary>
/// <param name="MaxShift">Largest shift, as a share of width and height.</param>
/// <param name="MaxZoom">Largest zoom: the logarithm of the scale.</param>
/// <param name="MaxRotation">Largest rotation in degrees.</param>
/// <param name="EraseRate">Probability that a rectangle is blanked.</param>
/// <param name="HorizontalFlip">Whether half of the images are mirrored.</param>
internal sealed record AugmentationOptions(float MaxShift, float MaxZoom, float MaxRotation, float EraseRate, bool HorizontalFlip);
