using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>
/// The experts of a MoE layer, feed-forward networks with stacked weights. One operation runs them all; where some of the matrices have
/// adapters, each product is an operation, and gives the same to the bit while the adapters add nothing.
/// </summary>
internal sealed class ExpertNetworks
{
    private readonly ExpertMatrix _first;
    private readonly ExpertMatrix _second;
    private readonly ExpertMatrix? _gate;

    /// <summary>Makes the parameters.</summary>
    /// <param name="store">Makes them.</param>
    /// <param name="name">What their names begin with.</param>
    /// <param name="experts">E.</param>
    /// <param name="width">D.</param>
    /// <param name="hiddenWidth">F.</param>
    /// <param name="form">Form of each expert.</param>
    /// <param name="outputGain">Factor of the random values of the last matrix.</param>
    public ExpertNetworks(
        ParameterStore store, string name, int experts, int width, int hiddenWidth, FeedForwardSettings form, float outputGain)
    {
        var (e, d, f) = (experts, width, hiddenWidth);
        var (activation, hasGate, hasBias) = form;
        _first = new ExpertMatrix(store, name + ".w1", 1f / MathF.Sqrt(d), e, d, f);
        var b1 = Bias(hasBias, ".b1", f);
        _second = new ExpertMatrix(store, name + ".w2", outputGain / MathF.Sqrt(f), e, f, d);
        var b2 = Bias(form.AddsSecondBias, ".b2", d);
        _gate = hasGate ? new ExpertMatrix(store, name + ".gate", 1f / MathF.Sqrt(d), e, d, f) : null;
        Weights = new Experts(
            _first.WeightEIO,
            b1,
            _second.WeightEIO,
            b2,
            activation,
            _gate?.WeightEIO.Value,
            Bias(hasGate && form.HasGateBias, ".gateBias", f),
            hasGate ? form.GateActivation : Activation.None);

        Tensor? Bias(bool isThere, string part, int columns)
        {
            if (!isThere)
                return null;
            var bias = store.Constant(name + part, ParameterRole.Bias, 0f, e, columns);
            bias.IsStackOfExperts = true;
            return bias;
        }
    }

    /// <summary>The weights, without what adapters add to them.</summary>
    public Experts Weights { get; }

    /// <summary>Σ over the pairs (t, e) of a token of weight·expert_e(x[t]).</summary>
    /// <param name="tape">Operations.</param>
    /// <param name="xTD">[T, D].</param>
    /// <param name="weightsP">[P].</param>
    /// <param name="plan">The pairs.</param>
    /// <returns>[T, D].</returns>
    public Tensor Forward(Tape tape, Tensor xTD, Tensor weightsP, RoutingPlan plan)
    {
        if (_first.Adapter is null && _second.Adapter is null && _gate?.Adapter is null)
            return tape.GroupedExperts(xTD, weightsP, plan, Weights);
        var experts = new int[plan.Pairs];
        for (var expert = 0; expert < plan.Experts; expert++)
            experts.AsSpan(plan.ExpertOffsets[expert]..plan.ExpertOffsets[expert + 1]).Fill(expert);
        var hiddenPF = Product(_first, xTD, plan, Weights.B1, Weights.Activation);
        if (_gate is not null)
            hiddenPF = tape.Multiply(hiddenPF, Product(_gate, xTD, plan, Weights.GateBias, Weights.GateActivation));
        return tape.SumPairs(Product(_second, hiddenPF, plan.OfPairs(), Weights.B2, Activation.None), weightsP, plan);

        Tensor Product(ExpertMatrix matrix, Tensor x, RoutingPlan pairs, Tensor? biasEO, Activation activation)
        {
            var yPO = matrix.Forward(tape, x, pairs);
            if (biasEO is not null)
                yPO = tape.Add(yPO, tape.Embedding(biasEO, experts));
            return tape.Activate(yPO, activation);
        }
    }
}
