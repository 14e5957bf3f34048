using Microsoft.ML.Moe.Onnx.Graph;
using Microsoft.ML.Moe.Onnx.Tracing;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Onnx.Routing;

/// <summary>
/// What the policies of this library choose, as nodes: a matrix [T, E] of 1 for pairs and 0 for the rest. Of B rows with L tokens each, T =
/// B·L. Scores are in single precision, where the policies take double: pairs whose scores differ by less than that rounds are chosen
/// otherwise.
/// </summary>
/// <param name="graph">Receives the nodes.</param>
/// <param name="layout">The rows' tokens.</param>
/// <param name="experts">Number of experts, E.</param>
/// <param name="longest">Most tokens of a row.</param>
internal sealed class PairChoice(GraphBuilder graph, RowLayout layout, int experts, int longest)
{
    /// <summary>The pairs that a policy chooses, and how they are weighted.</summary>
    /// <param name="policy">The policy.</param>
    /// <param name="logitsTE">[T, E] router logits.</param>
    /// <param name="choiceBiasE">[E], added to the scores for the choice; null for nothing.</param>
    /// <exception cref="NotSupportedException">ONNX cannot express it, or this export does not know it; the message names it.</exception>
    public (Value PairsTE, CombineRule Weights) Of(RoutingPolicy policy, Value logitsTE, Value? choiceBiasE) => policy switch
    {
        TokenChoice tokens => (OfTokens(tokens, logitsTE, choiceBiasE), tokens.Weights),
        ExpertChoice expertsChoice => (OfExperts(expertsChoice, logitsTE), ExpertChoice.Weights),
        Unified unified => (OfBoth(unified, logitsTE), unified.Weights),
        ExpertCapacity capacity => Limited(capacity, logitsTE, choiceBiasE),
        // it broadcasts in training alone
        GlobalWorkspace workspace => Of(workspace.Inner, logitsTE, choiceBiasE),
        ReluRouting => (OfTokensAlone(Ones(graph.Greater(logitsTE, graph.Number(0f)))), ReluRouting.Weights),
        RandomExperts => throw Unsupported.Because(
            $"{nameof(RandomExperts)} draws experts by a hash of the logits' bits, which ONNX has no operator for",
            "Export the model without it"),
        _ => throw Unsupported.Because($"its policy {policy.GetType().Name} is not one of this library", "Export the model with a Router"),
    };

    private Value OfTokens(TokenChoice policy, Value logitsTE, Value? choiceBiasE)
    {
        policy.CheckFits(experts);
        var scoresTE = logitsTE;
        if (choiceBiasE is not null || policy.Groups is not null)
            scoresTE = PairWeights.Scores(graph, policy.ScoreFunction, logitsTE);
        if (choiceBiasE is { } bias)
            scoresTE = graph.Add(scoresTE, bias);
        if (policy.Groups is { } groups)
            scoresTE = WithinGroups(groups, scoresTE);
        var pairsTE = Marked(logitsTE, graph.TopK(scoresTE, graph.Vector(policy.ExpertsPerToken)).Indices, axis: 1);
        if (policy.SkipThreshold > 0)
        {
            var chosenTE = graph.Multiply(PairWeights.Scores(graph, policy.ScoreFunction, logitsTE), pairsTE);
            var least = graph.Multiply(graph.Largest(chosenTE, axis: 1), graph.Number((float)policy.SkipThreshold));
            pairsTE = graph.Multiply(pairsTE, Ones(graph.GreaterOrEqual(chosenTE, least)));
        }

        return policy.MaskPadding ? OfTokensAlone(pairsTE) : pairsTE;
    }

    private Value OfExperts(ExpertChoice policy, Value logitsTE)
    {
        var groups = GroupsOf(policy.Scope, policy.MaskPadding);
        var counts = groups.Counts(tokens => policy.Capacity(tokens, experts), policy.ExpertsPerToken, ofExperts: true);
        return BestOfExperts(groups, graph.Softmax(logitsTE), counts);
    }

    private Value OfBoth(Unified policy, Value logitsTE)
    {
        var groups = GroupsOf(policy.Scope, policy.MaskPadding);
        var scoresTE = PairWeights.Unified(graph, (float)policy.Alpha, logitsTE, experts);
        var scoresGRE = groups.Split(scoresTE);
        // told in full: of no rows nothing can be inferred
        var pairs = graph.Multiply(graph.SizeOf(scoresGRE, 1), graph.Vector(experts));
        var all = graph.ReshapeTo(scoresGRE, graph.Concat(0, graph.SizeOf(scoresGRE, 0), pairs));
        var counts = groups.Counts(tokens => policy.Count(tokens, experts), policy.ExpertsPerToken, ofExperts: false);
        return groups.Join(Best(all, graph.Unsqueeze(counts, 1), axis: 1));
    }

    private (Value PairsTE, CombineRule Weights) Limited(ExpertCapacity policy, Value logitsTE, Value? choiceBiasE)
    {
        if (policy.DroppedTokens == DroppedTokens.PassThrough)
        {
            throw Unsupported.Because(
                $"{nameof(DroppedTokens)} = {nameof(DroppedTokens.PassThrough)} is not known to the export",
                $"Choose WithRouting(router with {{ {nameof(Router.DroppedTokens)} = {nameof(DroppedTokens.Zero)} }})");
        }

        var (pairsTE, weights) = Of(policy.Inner, logitsTE, choiceBiasE);
        if (policy.MasksPadding)
            pairsTE = OfTokensAlone(pairsTE);
        // only pairs compete, so that an expert's places go to them
        var isPair = graph.Greater(pairsTE, graph.Number(0f));
        var claimsTE = graph.Where(isPair, Claims(policy.Priority, logitsTE), graph.Number(TokenGroups.Outside));
        var groups = GroupsOf(policy.Scope, policy.MasksPadding);
        var counts = groups.Counts(tokens => Math.Min(tokens, policy.CapacityOf(tokens, experts)));
        var keptTE = BestOfExperts(groups, claimsTE, counts);
        return (graph.Multiply(keptTE, pairsTE), weights);
    }

    /// <summary>What tokens' claims to experts are worth, [T, E]: see <see cref="ExpertCapacity"/>.</summary>
    private Value Claims(CapacityPriority priority, Value logitsTE)
    {
        if (priority == CapacityPriority.Position)
            return graph.Multiply(logitsTE, graph.Number(0f));
        var probabilitiesTE = graph.Softmax(logitsTE);
        if (priority == CapacityPriority.Score)
            return probabilitiesTE;
        var ordered = graph.TopK(logitsTE, graph.Vector(experts)).Indices;
        var ranks = graph.Floats([.. Enumerable.Range(0, experts).Select(rank => -2f * rank)], 1, experts);
        var aheadTE = graph.Scatter(logitsTE, ordered, graph.Expand(ranks, graph.Shape(logitsTE)), axis: 1);
        return priority == CapacityPriority.Choice ? aheadTE : graph.Add(aheadTE, graph.Largest(probabilitiesTE, axis: 1));
    }

    /// <summary>The scores, −10³⁰ at experts of groups that a token does not choose from.</summary>
    private Value WithinGroups(ExpertGroups groups, Value scoresTE)
    {
        var size = experts / groups.Count;
        var scoresTGS = graph.Reshape(scoresTE, -1, groups.Count, size);
        var ofGroups = groups.Score == GroupScore.Largest || size == 1
            ? graph.Largest(scoresTGS, axis: 2, keeps: false)
            : graph.Sum(graph.TopK(scoresTGS, graph.Vector(2)).Values, axis: 2, keeps: false);
        var keptTG = Marked(ofGroups, graph.TopK(ofGroups, graph.Vector(Math.Min(groups.Kept, groups.Count))).Indices, axis: 1);
        var isKept = graph.Greater(graph.Unsqueeze(keptTG, 2), graph.Number(0f));
        return graph.Reshape(graph.Where(isKept, scoresTGS, graph.Number(TokenGroups.Outside)), -1, experts);
    }

    /// <summary>The best tokens of each group for each expert, as many as counts say.</summary>
    private Value BestOfExperts(TokenGroups groups, Value scoresTE, Value counts)
    {
        var chosen = Best(graph.Transpose(groups.Split(scoresTE), 0, 2, 1), graph.Unsqueeze(counts, 1, 2), axis: 2);
        return groups.Join(graph.Transpose(chosen, 0, 2, 1));
    }

    private TokenGroups GroupsOf(RoutingScope scope, bool masksPadding) => new(graph, layout, scope, experts, longest, masksPadding);

    /// <summary>1 at the largest along the last axis, as many as counts say, and 0 elsewhere; of equal ones the first.</summary>
    private Value Best(Value scores, Value counts, int axis)
    {
        var all = graph.SizeOf(scores, axis);
        var ordered = graph.TopK(scores, all).Indices;
        var isTaken = Ones(graph.Less(graph.Range(graph.Squeeze(all, 0)), counts));
        return graph.Scatter(scores, ordered, graph.Expand(isTaken, graph.Shape(scores)), axis);
    }

    private Value OfTokensAlone(Value pairsTE) => layout.Tokens(graph) is { } tokens ? graph.Multiply(pairsTE, tokens) : pairsTE;

    /// <summary>1 at indices along an axis, 0 elsewhere, in the shape of x.</summary>
    private Value Marked(Value x, Value indices, int axis) =>
        graph.Scatter(graph.Zeros(graph.Shape(x)), indices, graph.Expand(graph.Number(1f), graph.Shape(indices)), axis);

    private Value Ones(Value condition) => graph.Cast(condition, Format.TensorProto.Types.DataType.Float);
}
