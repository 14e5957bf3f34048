using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Text;

namespace Microsoft.ML.Moe.Models;

/// <summary>
/// The classifier's parameters and forward pass: an encoder with a head, plus a wide branch that adds its own scores (Cheng et al.
/// 2016, "Wide &amp; deep learning").
/// </summary>
internal sealed class TextClassifierNetwork
{
    private const string Wide = "wide.weight";

    private readonly TextEncoder _encoder;
    private readonly ClassifierHead _head;
    private readonly Parameter? _wideVC;

    public TextClassifierNetwork(ParameterStore store, TextClassifierConfig config)
    {
        _encoder = new TextEncoder(store, config);
        _head = new ClassifierHead(store, config, config.Classes);
        if (config.WideBits > 0)
            _wideVC = store.Constant(Wide, ParameterRole.Wide, 0f, 1 << config.WideBits, config.Classes);
    }

    /// <summary>Whether a parameter's last dimension is the classes.</summary>
    /// <param name="parameter">Name of the parameter.</param>
    public static bool IsOfClasses(string parameter) => parameter == Wide || ClassifierHead.IsOfClasses(parameter);

    /// <summary>Class scores of a batch.</summary>
    /// <param name="tape">Operations.</param>
    /// <param name="batch">B rows.</param>
    /// <param name="observer">Is shown what the MoE layers route where; null for nobody.</param>
    /// <param name="policies">Takes the place of the layers' own policies; null leaves them.</param>
    public ClassifierOutput Forward(Tape tape, TextBatch batch, IRoutingObserver? observer = null, PolicySelector? policies = null)
    {
        var context = new ForwardContext(tape, batch.Layout, observer, policies);
        var xTD = _encoder.Forward(context, batch);
        var deepBC = _head.Forward(tape, xTD, batch.Layout);
        if (_wideVC is null)
            return new ClassifierOutput(deepBC, deepBC, null, context.AuxiliaryLosses);
        var wideBC = tape.EmbeddingBag(_wideVC, batch.Wide!);
        return new ClassifierOutput(tape.Add(deepBC, wideBC), deepBC, wideBC, context.AuxiliaryLosses);
    }
}
