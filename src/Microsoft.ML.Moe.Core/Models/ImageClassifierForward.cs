using Microsoft.ML.Moe.Images;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models;

/// <summary>Packs images and runs an image classifier's network on them.</summary>
/// <param name="config">Of the classifier.</param>
/// <param name="network">Of the classifier.</param>
/// <param name="keepsLayouts">Whether a batch's layout stays as it is; see <see cref="ImageBatchPacker"/>.</param>
/// <param name="augmentation">How much images are changed while training; null where there is no training.</param>
internal sealed class ImageClassifierForward(
    ImageClassifierConfig config, ImageClassifierNetwork network, bool keepsLayouts = false, AugmentationOptions? augmentation = null)
    : IClassifierForward<ImagePixels>
{
    private readonly ImageBatchPacker _packer = new(
        config.Grid, config.Scale, augmentation is null ? null : new ImageAugmentation(config.Input, augmentation), keepsLayouts);

    private ImageBatch _batch;

    /// <inheritdoc/>
    public void Pack(IReadOnlyList<ImagePixels> rows, Random? random) => _batch = _packer.Pack(rows, random);

    /// <inheritdoc/>
    public ClassifierOutput Run(Tape tape, IRoutingObserver? observer, PolicySelector? policies) =>
        network.Forward(tape, _batch, observer, policies);
}
