using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Conformance;

/// <summary>One golden case of routing: what goes in.</summary>
public sealed record RoutingCase(
    RoutingCase.PolicyCase Policy, RoutingCase.WorkspaceCase? GlobalWorkspace, bool Training, float[][][] Logits, int[][]? Mask)
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower) },
    };

    /// <summary>Reads a case file.</summary>
    public static RoutingCase Read(string path) => JsonSerializer.Deserialize<RoutingCase>(File.ReadAllText(path), Json)
        ?? throw new InvalidDataException($"{path} is empty.");

    /// <summary>Routes the case as the library does.</summary>
    /// <param name="engine">On this engine.</param>
    public RoutingResult Run(Engine engine)
    {
        var (rows, length, experts) = (Logits.Length, Logits[0].Length, Logits[0][0].Length);
        float[] logitsTE = [.. Logits.SelectMany(row => row.SelectMany(token => token))];
        var layout = new SequenceLayout(
            [.. Enumerable.Range(0, rows + 1).Select(row => row * length)],
            Mask?.SelectMany(row => row.Select(m => m == 1)).ToArray());
        var policy = CreatePolicy();

        using var tape = engine.BeginTape(Training);
        var logits = tape.Constant(logitsTE, rows * length, experts);
        var plan = tape.Route(logits, policy, layout);
        var weights = tape.CombineWeights(logits, plan).ToArray();

        var pairs = new List<double[]>();
        var next = 0;
        for (var expert = 0; expert < experts; expert++)
            foreach (var token in plan.TokensOf(expert))
                pairs.Add([token / length, token % length, expert, weights[next++]]);
        return new RoutingResult(
            [.. pairs.OrderBy(p => p[0]).ThenBy(p => p[1]).ThenBy(p => p[2])],
            [.. Enumerable.Range(0, layout.Tokens).Where(plan.IsBroadcast).Select(t => new[] { t / length, t % length })],
            [.. Logits.Select(row => row.Select(token => RouterEntropy.Of(token)).ToArray())],
            tape.LoadBalancingLoss(logits, layout).ToArray()[0],
            tape.RouterZLoss(logits, layout).ToArray()[0]);
    }

    private RoutingPolicy CreatePolicy()
    {
        var policy = Policy.Router.CreatePolicy();
        return GlobalWorkspace is null
            ? policy
            : new GlobalWorkspace(policy, GlobalWorkspace.EntropyThreshold, GlobalWorkspace.MaxTokensPerSequence);
    }

    /// <summary>The policy of a case.</summary>
    public sealed record PolicyCase(RouterKind Kind, double ExpertsPerToken, double Alpha, RoutingScope Scope, bool NormalizeWeights)
    {
        /// <summary>The router that it describes.</summary>
        public Router Router => Kind switch
        {
            RouterKind.TokenChoice => Router.TokenChoice((int)ExpertsPerToken, NormalizeWeights),
            RouterKind.ExpertChoice => Router.ExpertChoice(ExpertsPerToken, Scope),
            _ => Router.Unified(ExpertsPerToken, Alpha, Scope, NormalizeWeights ? WeightNormalization.All : WeightNormalization.None),
        };
    }

    /// <summary>The global workspace of a case.</summary>
    public sealed record WorkspaceCase(double EntropyThreshold, int? MaxTokensPerSequence);
}
