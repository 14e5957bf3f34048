using Microsoft.ML.Moe.Onnx.Graph;
using Microsoft.ML.Moe.Onnx.Routing;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Onnx.Tracing;

// Routers and experts. A plan of the graph has all T·E pairs, and a matrix that says which of them are chosen: their number is known when
// the graph runs.
internal sealed partial class OnnxTape
{
    private readonly Dictionary<RoutingPlan, TracedPlan> _plans = [];

    /// <inheritdoc/>
    protected override Tensor RouterLogitsCore(Tensor xTD, Tensor routerDE, Tensor? biasE) =>
        LinearCore(xTD, routerDE, biasE, Activation.None);

    /// <inheritdoc/>
    protected override RoutingPlan RouteCore(Tensor logitsTE, RoutingPolicy policy, SequenceLayout layout, Tensor? choiceBiasE)
    {
        var (tokens, experts) = (logitsTE.Shape[0], logitsTE.Columns);
        var choice = new PairChoice(graph, LayoutOf(layout), experts, layout.Tokens / rows.Sequences);
        var (pairsTE, weights) = choice.Of(policy, ValueOf(logitsTE), choiceBiasE is null ? null : ValueOf(choiceBiasE));
        var plan = new RoutingPlan(tokens, experts, checked(tokens * experts), weights, () => throw Unsupported.Numbers());
        _plans.Add(plan, new TracedPlan(policy, pairsTE, choiceBiasE is not null));
        return plan;
    }

    /// <summary>Weights of the plan's pairs: a vector of T·E for the model, a matrix [T, E] in the graph.</summary>
    protected override Tensor CombineWeightsCore(Tensor logitsTE, RoutingPlan plan)
    {
        var (traced, logits) = (_plans[plan], ValueOf(logitsTE));
        var weights = new TracedTensor(PairWeights.Of(graph, plan.Weights, logits, traced.PairsTE, plan.Experts), plan.Pairs);
        traced.Weighted = (logits, weights);
        return weights;
    }

    /// <inheritdoc/>
    protected override Tensor GroupedExpertsCore(Tensor xTD, Tensor weightsP, RoutingPlan plan, Experts experts)
    {
        var x = ValueOf(xTD);
        if (!_plans.TryGetValue(plan, out var traced))
            return Like(xTD, OfFixedPlan(x, weightsP, plan, experts));
        if (operators == OnnxOperators.Microsoft)
            return Like(xTD, OfOperator(x, weightsP, traced, experts));
        var weightsTE = ValueOf(weightsP);
        var sum = graph.Zeros(graph.Shape(x));
        for (var expert = 0; expert < experts.Count; expert++)
        {
            var chosen = graph.Squeeze(graph.Gather(traced.PairsTE, graph.Vector(expert), axis: 1), 1);
            var tokensN = graph.Squeeze(graph.Each("NonZero", chosen), 0);
            var weightsN1 = graph.Gather(graph.Gather(weightsTE, graph.Vector(expert), axis: 1), tokensN);
            var yND = graph.Multiply(OfExpert(graph.Gather(x, tokensN), experts, expert), weightsN1);
            sum = graph.ScatterAdd(sum, graph.Unsqueeze(tokensN, 1), yND);
        }

        return Like(xTD, sum);
    }

    /// <inheritdoc/>
    protected override Tensor ExpertLinearCore(Tensor xTI, Tensor weightEIO, RoutingPlan plan) =>
        throw Unsupported.Operation(nameof(ExpertLinear));

    /// <inheritdoc/>
    protected override Tensor SumPairsCore(Tensor yPD, Tensor weightsP, RoutingPlan plan) => throw Unsupported.Operation(nameof(SumPairs));

    /// <summary>One expert's part of stacked weights, as a constant of its own.</summary>
    /// <param name="stack">[E, …].</param>
    /// <param name="expert">Its number.</param>
    public Value OfStack(Tensor stack, int expert)
    {
        var length = stack.Length / stack.Shape[0];
        return graph.Constant(
            $"{names[stack]}.{expert}", SizesOf(stack.Shape[1..]), TensorParts.Of(stack, expert * length, length));
    }

    /// <summary>Experts over a plan that the model made itself, each row's tokens to the same experts.</summary>
    private Value OfFixedPlan(Value x, Tensor weightsP, RoutingPlan plan, Experts experts)
    {
        if (weightsP is not TracedTensor { IsOfOnes: true } || plan.Tokens % rows.Sequences != 0)
            throw Unsupported.Because("a layer of the model routes by a plan of its own");
        var slots = plan.Tokens / rows.Sequences;
        var xBSD = graph.Reshape(x, -1, slots, experts.Width);
        var outputs = new Value[experts.Count];
        var order = new List<int>();
        for (var expert = 0; expert < experts.Count; expert++)
        {
            // tokens of an expert ascend, so that they stand row by row
            if (RowPattern.Of(plan.TokensOf(expert), rows.Sequences) is not var (stride, places) || stride != slots)
                throw Unsupported.Because("a layer of the model routes rows differently");
            order.AddRange(places);
            var own = graph.Reshape(graph.Gather(xBSD, Places(places), axis: 1), -1, experts.Width);
            outputs[expert] = graph.Reshape(OfExpert(own, experts, expert), -1, places.Length, experts.Width);
        }

        int[] back = [.. Enumerable.Range(0, slots).Select(slot => order.IndexOf(slot))];
        if (order.Count != slots || back.Contains(-1))
            throw Unsupported.Because("a layer of the model has tokens without experts by a plan of its own");
        return graph.Reshape(graph.Gather(graph.Concat(1, outputs), Places(back), axis: 1), -1, experts.Width);
    }

    private Value OfOperator(Value x, Tensor weightsP, TracedPlan plan, Experts experts)
    {
        if (plan.HasChoiceBias)
            throw MicrosoftMixture.Refused("has no bias for the choice");
        if (plan.Weighted is not var (logits, weights) || weights != weightsP)
            throw MicrosoftMixture.Refused("has no factor of the experts' weights");
        return new MicrosoftMixture(graph, this).Of(x, logits, plan.Policy, experts);
    }

    private Value OfExpert(Value xND, Experts experts, int expert)
    {
        var hidden = Activations.Apply(graph, Product(xND, experts.W1, experts.B1), experts.Activation);
        if (experts.Gate is not null)
            hidden = graph.Multiply(hidden, Activations.Apply(graph, Product(xND, experts.Gate, experts.GateBias), experts.GateActivation));
        return Product(hidden, experts.W2, experts.B2);

        Value Product(Value x, Tensor weights, Tensor? biases) => biases is null
            ? graph.MatMul(x, OfStack(weights, expert))
            : graph.Gemm(x, OfStack(weights, expert), OfStack(biases, expert));
    }
}

/// <summary>A plan of the graph.</summary>
/// <param name="policy">The policy that chose.</param>
/// <param name="pairsTE">[T, E]: 1 for its pairs, 0 for the rest.</param>
/// <param name="hasChoiceBias">Whether a layer added to the scores for the choice.</param>
internal sealed class TracedPlan(RoutingPolicy policy, Value pairsTE, bool hasChoiceBias)
{
    /// <summary>The policy that chose.</summary>
    public RoutingPolicy Policy => policy;

    /// <summary>[T, E]: 1 for its pairs, 0 for the rest.</summary>
    public Value PairsTE => pairsTE;

    /// <summary>Whether a layer added to the scores for the choice.</summary>
    public bool HasChoiceBias => hasChoiceBias;

    /// <summary>[T, E] the logits, and the weights that were made of them; null where none were yet.</summary>
    public (Value LogitsTE, TracedTensor Weights)? Weighted { get; set; }
}
