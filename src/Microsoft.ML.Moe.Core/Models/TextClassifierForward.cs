using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Text;

namespace Microsoft.ML.Moe.Models;

/// <summary>Packs texts and runs a text classifier's network on them.</summary>
/// <param name="classifier">The classifier.</param>
/// <param name="keepsLayouts">Whether a batch's layout stays as it is; see <see cref="TextBatchPacker"/>.</param>
/// <param name="options">Rates of the noise while training; null where there is no training.</param>
internal sealed class TextClassifierForward(TextClassifier classifier, bool keepsLayouts = false, TextClassifierOptions? options = null)
    : IClassifierForward<EncodedText>
{
    private readonly TextBatchPacker _packer = classifier.CreatePacker(keepsLayouts);
    private TextBatch? _batch;

    /// <inheritdoc/>
    public void Pack(IReadOnlyList<EncodedText> rows, Random? random)
    {
        InputNoise? noise = random is null || options is null
            ? null
            : new InputNoise(random, options.TokenMaskRate, options.WordDropRate, options.WideDropRate);
        _batch = _packer.Pack(rows, noise);
    }

    /// <inheritdoc/>
    public ClassifierOutput Run(Tape tape, IRoutingObserver? observer, PolicySelector? policies) =>
        classifier.Network.Forward(tape, _batch!, observer, policies);
}
