using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;

namespace Microsoft.ML.Moe.Evaluation;

/// <summary>Gradients of a classifier's loss by the values of images, as it scores them: without dropout and noise.</summary>
internal sealed class PixelGradients
{
    private readonly Model<ImagePixels> _model;
    private readonly PatchInputConfig _config;
    private readonly Packer<ImagePixels> _packer;

    /// <summary>Prepares it.</summary>
    /// <param name="model">The classifier; its weights get no gradients.</param>
    /// <exception cref="InvalidOperationException">The model is no classifier.</exception>
    public PixelGradients(Model<ImagePixels> model)
    {
        if (model.Head is not ClassifierHead)
            throw new InvalidOperationException("The model is no classifier: there are no classes to tell wrong.");
        _model = model.WithFrozenWeights();
        _config = ((PatchInput)model.Input).Config;
        _packer = model.Input.CreatePacker(model.Packing());
    }

    /// <summary>The gradient of each image's cross-entropy by its values.</summary>
    /// <param name="images">B images, of values as the model reads them.</param>
    /// <param name="classes">Class of each.</param>
    /// <param name="gradients">Receives B × values of an image.</param>
    public void Of(IReadOnlyList<float[]> images, ReadOnlySpan<int> classes, Span<float> gradients)
    {
        var batch = (ImageBatch)_packer.Pack([.. images.Select(image => new ImagePixels(image))]);
        var cut = _config.Cut;
        var values = _model.Engine.CreateParameter("values", [batch.Cut.Length / batch.Columns, batch.Columns], batch.Cut.ToArray());
        using (var tape = _model.Engine.LeaseTape(training: true))
        {
            tape.DropoutFactor = 0f;
            tape.KeepsStatistics = true;
            batch.Values = values;
            var scores = _model.Forward(tape, batch, policies: _model.Policies);
            // of the sum, not of the mean: an image's gradient does not depend on how many there are
            tape.Backward(tape.CrossEntropy(scores, classes, []), images.Count);
        }

        var ofValues = new float[batch.Cut.Length];
        values.Value.CopyGradientTo(ofValues);
        var (perImage, length) = (ofValues.Length / images.Count, _config.Size.Length);
        for (var i = 0; i < images.Count; i++)
        {
            var gradient = gradients.Slice(i * length, length);
            cut.Gather(ofValues.AsSpan(i * perImage + _config.SpecialTokens * cut.Values, cut.Patches * cut.Values), gradient);
            _config.Scale.ToGradient(gradient);
        }
    }
}
