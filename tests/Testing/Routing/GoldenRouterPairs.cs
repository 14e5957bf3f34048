using System.Text.Json.Nodes;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Routing;

/// <summary>Goldens of which token goes to which expert with which weight, some with the gradient of a sum of weights.</summary>
internal static class GoldenRouterPairs
{
    public static void Check(Engine engine, GoldenRouterFile file)
    {
        var policyJson = file.Part("policy");
        var rows = file["logits"];
        var layout = file.Layout(rows);
        var experts = rows[0]![0]!.AsArray().Count;
        var policy = PolicyOf(policyJson, layout, experts);
        var expected = file.Part("expected");
        var pairs = ExpectedPairs(expected);

        var logits = engine.CreateParameter("logits", [layout.Tokens, experts], GoldenRouterFile.Numbers(rows), sparseRows: false);
        var bias = file.Has("bias") ? engine.CreateParameter("bias", [experts], GoldenRouterFile.Numbers(file["bias"]), sparseRows: false) : null;
        using var tape = engine.BeginTape(training: true);
        var plan = tape.Route(logits.Value, policy, layout, bias?.Value);
        var weightsP = tape.Scale(tape.CombineWeights(logits.Value, plan), (float)policyJson.Number("scale", 1));

        var length = layout.Tokens / layout.Sequences;
        var actual = PairsOf(plan, weightsP.ToArray())
            .Select(p => (Row: p.Token / length, Position: p.Token % length, p.Expert, p.Weight)).ToList();
        Assert.Equal(pairs.Select(p => (p.Row, p.Position, p.Expert)), actual.Select(p => (p.Row, p.Position, p.Expert)));
        GoldenRouterFile.AssertClose(
            "weights", new JsonArray([.. pairs.Select(p => (JsonNode)p.Weight)]), [.. actual.Select(p => p.Weight)]);
        if (expected.Has("dropped"))
            CheckDropped(expected["dropped"], policyJson, file, plan);
        if (expected.Has("grad.logits"))
        {
            var coefficients = Coefficients(file, expected, plan, layout.Tokens, experts);
            var loss = tape.Scale(tape.Mean(tape.Multiply(weightsP, tape.Constant(coefficients, plan.Pairs))), plan.Pairs);
            if (expected.Has("lossRule"))
                GoldenRouterFile.AssertClose("loss", expected["loss"], loss.ToArray());
            tape.Backward(loss);
            var gradient = new float[logits.Value.Length];
            logits.Value.CopyGradientTo(gradient);
            GoldenRouterFile.AssertClose("gradient", expected["grad.logits"], gradient);
        }
    }

    /// <summary>The policy that a golden describes.</summary>
    public static RoutingPolicy PolicyOf(GoldenRouterFile json, SequenceLayout layout, int experts)
    {
        var k = json.Number("expertsPerToken", 2);
        var groups = json.Int("groups", 1) > 1 ? new ExpertGroups(json.Int("groups", 1), json.Int("groupsKept", 1)) : null;
        switch (json["kind"].GetValue<string>())
        {
            case "token-choice":
                var isSigmoid = json.Json["score"]?.GetValue<string>() == "sigmoid";
                var router = Router.TokenChoice((int)k, Normalizes(json)) with
                {
                    ScoreFunction = isSigmoid ? ScoreFunction.Sigmoid : ScoreFunction.Softmax,
                    Groups = groups,
                };
                return json.Has("capacity")
                    ? ExpertCapacity.FromTokens(
                        router.CreatePolicy(),
                        json.Int("capacity", 0),
                        Scope(json),
                        json.Json["batchPriority"]?.GetValue<bool>() == true ? CapacityPriority.BatchPriority : CapacityPriority.Choice)
                    : router.CreatePolicy();
            case "sigmoid-bias":
                return (Router.TokenChoice((int)k, Normalizes(json)) with
                {
                    ScoreFunction = ScoreFunction.Sigmoid,
                    Groups = groups is null ? null : groups with { Score = GroupScore.SumOfTwoLargest },
                    SmallestSum = 1e-20,
                }).CreatePolicy();
            case "sparsemixer":
                return (Router.TokenChoice((int)k, normalizeWeights: false) with
                {
                    ScoreFunction = ScoreFunction.SparseMixer,
                    Jitter = json.Number("jitterEps", 0.01),
                }).CreatePolicy();
            case "expert-choice":
                var tokens = Scope(json) == RoutingScope.Batch ? layout.Tokens : layout.Tokens / layout.Sequences;
                return new ExpertChoice((double)json.Int("tokensPerExpert", 1) * experts / tokens, Scope(json));
            case "unified":
                return Router.Unified(
                    k, json.Number("alpha", 0.5), Scope(json), Normalizes(json) ? WeightNormalization.All : WeightNormalization.None).CreatePolicy();
            case var kind:
                throw new NotSupportedException($"The golden is of a router '{kind}'.");
        }
    }

    private static RoutingScope Scope(GoldenRouterFile json) => json.Json["scope"]?.GetValue<string>() switch
    {
        null or "sequence" => RoutingScope.Sequence,
        "batch" => RoutingScope.Batch,
        "time-step" => RoutingScope.TimeStep,
        var scope => throw new NotSupportedException($"The golden is of a scope '{scope}'."),
    };

    // told by a flag, or in words
    private static bool Normalizes(GoldenRouterFile json) => json.Json["normalizeWeights"]?.GetValue<bool>()
        ?? json.Json["weights"]?.GetValue<string>() is { } rule
            && (rule.Contains("divided by the sum", StringComparison.Ordinal) || rule.Contains("over the k chosen", StringComparison.Ordinal));

    private static List<(int Row, int Position, int Expert, double Weight)> ExpectedPairs(GoldenRouterFile expected)
    {
        var pairs = new List<(int, int, int, double)>();
        if (expected.Has("pairs"))
        {
            foreach (var pair in expected["pairs"].AsArray())
                pairs.Add((pair![0]!.GetValue<int>(), pair[1]!.GetValue<int>(), pair[2]!.GetValue<int>(), pair[3]!.GetValue<double>()));
            return pairs;
        }

        var (experts, weights) = (expected["experts"], expected["weights"]);
        for (var row = 0; row < experts.AsArray().Count; row++)
            for (var position = 0; position < experts[row]!.AsArray().Count; position++)
                for (var rank = 0; rank < experts[row]![position]!.AsArray().Count; rank++)
                    pairs.Add((row, position, experts[row]![position]![rank]!.GetValue<int>(), weights[row]![position]![rank]!.GetValue<double>()));
        return [.. pairs.Order()];
    }

    /// <summary>Pairs by token, then by expert.</summary>
    public static IEnumerable<(int Token, int Expert, float Weight)> PairsOf(RoutingPlan plan, float[] weightsP)
    {
        var pairs = new List<(int Token, int Expert, float Weight)>();
        for (var expert = 0; expert < plan.Experts; expert++)
            foreach (var token in plan.TokensOf(expert))
                pairs.Add((token, expert, weightsP[pairs.Count]));
        return pairs.OrderBy(p => p.Token).ThenBy(p => p.Expert);
    }

    private static void CheckDropped(JsonNode dropped, GoldenRouterFile policyJson, GoldenRouterFile file, RoutingPlan plan)
    {
        var layout = file.Layout(file["logits"]);
        var length = layout.Tokens / layout.Sequences;
        var wanted = Router.TokenChoice(policyJson.Int("expertsPerToken", 2)).CreatePolicy()
            .Route(GoldenRouterFile.Numbers(file["logits"]), plan.Experts, layout, training: true);
        var left = PairsOf(plan, new float[plan.Pairs]).Select(p => (p.Token, p.Expert)).ToHashSet();
        var actual = PairsOf(wanted, new float[wanted.Pairs]).Select(p => (p.Token, p.Expert)).Where(p => !left.Contains(p));
        Assert.Equal(
            dropped.AsArray().Select(d => (d![0]!.GetValue<int>() * length + d[1]!.GetValue<int>(), d[2]!.GetValue<int>())), actual);
        Assert.Equal(dropped.AsArray().Count, plan.DroppedPairs);
    }

    // one for each pair: given for all entries, or by the rank of a token's expert
    private static float[] Coefficients(GoldenRouterFile file, GoldenRouterFile expected, RoutingPlan plan, int tokens, int experts)
    {
        float[] coefficientsTE;
        if (file.Has("lossCoefficients"))
        {
            coefficientsTE = GoldenRouterFile.Numbers(file["lossCoefficients"]);
        }
        else
        {
            // "sum over tokens of 1*w0 + 2*w1"
            coefficientsTE = new float[tokens * experts];
            var choices = GoldenRouterFile.Numbers(expected["experts"]);
            var k = choices.Length / tokens;
            for (var i = 0; i < choices.Length; i++)
                coefficientsTE[i / k * experts + (int)choices[i]] = i % k + 1;
        }

        var coefficientsP = new List<float>();
        for (var expert = 0; expert < experts; expert++)
            foreach (var token in plan.TokensOf(expert))
                coefficientsP.Add(coefficientsTE[token * experts + expert]);
        return [.. coefficientsP];
    }
}
