using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>
/// A sparse mixture of experts in place of a feed-forward network: a router scores the experts for each token, a policy chooses, and
/// the chosen experts' outputs are summed with the router's weights (Shazeer et al. 2017). What published mixtures have besides is in
/// <see cref="MoeSettings"/>.
/// </summary>
internal sealed class MoeLayer : IFeedForward
{
    private readonly int _block;
    private readonly RouterMatrix _router;
    private readonly ExpertNetworks _experts;
    private readonly MoeSettings _settings;
    private readonly RoutingPolicy _policy;
    private readonly Parameter? _choiceBiasE;
    private readonly Parameter? _bias1D;
    private readonly DenseFeedForward? _shared;
    private readonly Linear? _sharedGate;

    public MoeLayer(ParameterStore store, string name, int block, int width, int hiddenWidth, MoeSettings settings, float outputGain)
    {
        var (e, d, f) = (settings.Experts, width, hiddenWidth);
        _block = block;
        _settings = settings;
        _policy = settings.Policy ?? throw new ArgumentException(
            $"{Router.SoftChoosesNothing} This architecture is not made for it: choose another router.", nameof(settings));
        _router = new RouterMatrix(store, name + ".router.weight", d, e, settings.HasRouterBias ? name + ".router.bias" : null);
        _experts = new ExpertNetworks(store, name + ".experts", e, d, f, settings.Expert, outputGain);
        _choiceBiasE = settings.HasChoiceBias ? store.Constant(name + ".router.choiceBias", ParameterRole.ChoiceBias, 0f, e) : null;
        _bias1D = settings.HasOutputBias ? store.Constant(name + ".bias", ParameterRole.Bias, 0f, 1, d) : null;
        if (settings.SharedWidth > 0)
        {
            _shared = new DenseFeedForward(store, name + ".shared", d, settings.SharedWidth, outputGain, settings.SharedForm ?? settings.Expert);
            _sharedGate = settings.HasSharedGate ? new Linear(store, name + ".sharedGate", d, 1, Activation.Sigmoid, hasBias: false) : null;
        }
    }

    /// <inheritdoc/>
    public Tensor Forward(ForwardContext context, Tensor xTD)
    {
        var tape = context.Tape;
        var logitsTE = _router.Logits(tape, tape.Jitter(xTD, _settings.RouterJitter));
        logitsTE = tape.AddNoise(logitsTE, _settings.RouterNoise / _settings.Experts);
        var plan = tape.Route(logitsTE, PolicyOf(context), context.Layout, _choiceBiasE?.Value);
        context.Observer?.OnRouted(new RoutedLayer(_block, tape, xTD, logitsTE, plan, context.Layout, _experts.Weights)
        {
            HasChoiceBias = _choiceBiasE is not null,
        });
        if (tape.IsTraining)
        {
            if (_settings.LoadBalancingCoefficient > 0)
                context.AuxiliaryLosses.Add(
                    tape.Scale(tape.LoadBalancingLoss(logitsTE, context.Layout), _settings.LoadBalancingCoefficient));
            if (_settings.RouterZLossCoefficient > 0)
                context.AuxiliaryLosses.Add(tape.Scale(tape.RouterZLoss(logitsTE, context.Layout), _settings.RouterZLossCoefficient));
            if (_settings.ImportanceCoefficient > 0)
                context.AuxiliaryLosses.Add(tape.Scale(RouterLosses.Importance(tape, logitsTE, context.Layout), _settings.ImportanceCoefficient));
            if (_settings.LoadCoefficient > 0)
            {
                context.AuxiliaryLosses.Add(tape.Scale(
                    RouterLosses.Load(tape, logitsTE, context.Layout, _settings.ExpertsPerToken), _settings.LoadCoefficient));
            }
        }

        var weightsP = tape.CombineWeights(logitsTE, plan);
        if (_settings.RoutedScale != 1f)
            weightsP = tape.Scale(weightsP, _settings.RoutedScale);
        var sumTD = _experts.Forward(tape, xTD, weightsP, plan);
        if (plan.PassesTokens && PassedTokens.Of(tape, xTD, logitsTE, plan) is { } passedTD)
            sumTD = tape.Add(sumTD, passedTD);
        if (_shared is not null)
            sumTD = tape.Add(sumTD, Shared(context, _shared, xTD));
        return _bias1D is null ? sumTD : tape.Add(sumTD, tape.Embedding(_bias1D, new int[xTD.Shape[0]]));
    }

    private RoutingPolicy PolicyOf(ForwardContext context)
    {
        var policy = context.PolicyOf(_block, _policy);
        return context.Cache is { } cache ? policy.After(cache.RoutingOf(_block)) : policy;
    }

    private Tensor Shared(ForwardContext context, DenseFeedForward shared, Tensor xTD)
    {
        var tape = context.Tape;
        var yTD = shared.Forward(context, xTD);
        if (_sharedGate is null)
            return yTD;
        // each token's number in all columns: a product with a row of ones
        var ones = tape.Constant([.. Enumerable.Repeat(1f, xTD.Columns)], 1, xTD.Columns);
        return tape.Multiply(yTD, tape.Linear(_sharedGate.Forward(tape, xTD), ones));
    }
}
