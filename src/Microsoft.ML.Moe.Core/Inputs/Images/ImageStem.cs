namespace Microsoft.ML.Moe.Inputs;

/// <summary>How a model of images that begins from scratch makes tokens of pixels.</summary>
public enum ImageStem
{
    /// <summary>A linear layer over each of the square patches that an image is divided into (Dosovitskiy et al. 2021).</summary>
    Patches,

    /// <summary>
    /// Residual 3×3 convolutions from the full resolution on, which is halved until an image has no more than 64 tokens (Xiao et al. 2021,
    /// "Early convolutions help transformers see better"; He et al. 2016, "Identity mappings in deep residual networks"), with batch norm
    /// (Ioffe and Szegedy 2015), or layer norm where several ranks share batches, and in models of earlier versions.
    /// </summary>
    Convolutional,
}
