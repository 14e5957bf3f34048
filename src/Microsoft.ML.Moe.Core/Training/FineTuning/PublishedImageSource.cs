using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;

namespace Microsoft.ML.Moe.Training;

/// <summary>A published encoder of images to train with, and what is done to images before it sees them.</summary>
/// <param name="Folder">The encoder's files.</param>
/// <param name="Input">How images become its patches.</param>
internal sealed record PublishedImageSource(PublishedFolder Folder, PatchInput Input)
{
    /// <summary>The architecture, of the images that are read.</summary>
    public VisionConfig Encoder => ((VisionConfig)Folder.Encoder).Reading(Input.Images.Width, Input.Images.Height);

    /// <summary>What it is called, and its licence; null where nothing shall tell.</summary>
    public BaseModel? BaseModel { get; init; }

    /// <summary>Makes a mixture of it; null leaves it dense.</summary>
    public Upcycling? Upcycling { get; init; }

    /// <summary>Opens an encoder.</summary>
    /// <param name="encoder">Where it is.</param>
    /// <param name="upcycling">Makes a mixture of it; null leaves it dense.</param>
    /// <param name="width">Pixels in a row of images, where it shall read others than it was trained on; null for those.</param>
    /// <param name="height">Rows of pixels; null for as many as <paramref name="width"/>, or those that it was trained on.</param>
    /// <exception cref="IOException">Files are missing; the message says which.</exception>
    /// <exception cref="InvalidDataException">Files are damaged, or of no encoder of images that is known here.</exception>
    /// <exception cref="ArgumentException">Its patches do not divide images of that size.</exception>
    public static PublishedImageSource Open(PublishedEncoder encoder, Upcycling? upcycling = null, int? width = null, int? height = null)
    {
        var path = encoder.ResolveFolder();
        var folder = PublishedFolder.Open(path);
        if (folder.Encoder is not VisionConfig vision)
            throw new InvalidDataException($"{path} has an encoder of texts ({folder.Encoder.Architecture}), which reads no images.");
        var preprocessing = ImagePreprocessing.Read(path, vision.Channels);
        var isAsked = (width, height) is not (null, null);
        if (isAsked)
            preprocessing = preprocessing.For(width ?? height!.Value, height ?? width!.Value);
        vision = vision.Reading(preprocessing.Width, preprocessing.Height);
        if (!isAsked && (preprocessing.Width, preprocessing.Height) != (vision.ImageWidth, vision.ImageHeight))
        {
            throw new InvalidDataException(
                $"{Path.Combine(path, ImagePreprocessing.FileName)} brings images to {preprocessing.Width} × {preprocessing.Height} pixels, but the encoder "
                + $"was trained on {vision.ImageWidth} × {vision.ImageHeight}: set ImageWidth and ImageHeight to the size that it shall read, with positions "
                + "between the trained ones.");
        }

        if (upcycling is not null && vision.Convolutions is not null)
        {
            throw new ArgumentException(
                $"{vision.Architecture} consists of convolutions: it has no feed-forward networks that {nameof(Upcycling)} could make experts of.",
                nameof(upcycling));
        }

        var config = PublishedImageInputConfig.Of(vision, preprocessing);
        config.Check();
        return new PublishedImageSource(folder, new PatchInput(config)) { BaseModel = BaseModel.Of(encoder.Name, path), Upcycling = upcycling };
    }
}
