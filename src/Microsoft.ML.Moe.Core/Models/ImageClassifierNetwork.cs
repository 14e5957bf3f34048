using Microsoft.ML.Moe.Images;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models;

/// <summary>The image classifier's parameters and forward pass: an encoder with a head.</summary>
internal sealed class ImageClassifierNetwork(ParameterStore store, ImageClassifierConfig config)
{
    private readonly VisionEncoder _encoder = new(store, config);
    private readonly ClassifierHead _head = new(store, config, config.Classes);

    /// <summary>Class scores of a batch.</summary>
    /// <param name="tape">Operations.</param>
    /// <param name="batch">B images.</param>
    /// <param name="observer">Is shown what the MoE layers route where; null for nobody.</param>
    /// <param name="policies">Takes the place of the layers' own policies; null leaves them.</param>
    public ClassifierOutput Forward(Tape tape, ImageBatch batch, IRoutingObserver? observer, PolicySelector? policies)
    {
        var context = new ForwardContext(tape, batch.Layout, observer, policies);
        var xTD = _encoder.Forward(context, batch);
        var logitsBC = _head.Forward(tape, xTD, batch.Layout);
        return new ClassifierOutput(logitsBC, logitsBC, null, context.AuxiliaryLosses);
    }
}
