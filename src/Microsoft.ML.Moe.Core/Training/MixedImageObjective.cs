using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>Learning classes of images that are mixed in pairs: of each label a share, as of the images.</summary>
internal class MixedImageObjective(
    Model<ImagePixels> model,
    Packer<ImagePixels> packer,
    IReadOnlyList<Example<ImagePixels>> training,
    IReadOnlyList<Example<ImagePixels>> validation,
    TrainingConfig config,
    Func<(double Loss, double Metric)?>? evaluate)
    : ModelObjective<ImagePixels>(model, packer, training, validation, config, evaluate)
{
    /// <inheritdoc/>
    protected override Tensor Loss(Tape tape, Head head, Tensor scores, Batch batch, Targets targets, TrainingConfig config)
    {
        var own = head.Loss(tape, scores, batch, targets, config);
        if (((ImageBatch)batch).Mixture is not { OwnShare: < 1f } mixture)
            return own;
        var others = new Targets();
        others.Begin(targets.Count);
        for (var i = 0; i < targets.Count; i++)
            // an image counts by its own row's weight, whatever is mixed into it
            others.Add(targets.Values[mixture.Partners[i]], targets.Weights[i]);
        return tape.Add(
            tape.Scale(own, mixture.OwnShare), tape.Scale(head.Loss(tape, scores, batch, others, config), 1 - mixture.OwnShare));
    }
}
