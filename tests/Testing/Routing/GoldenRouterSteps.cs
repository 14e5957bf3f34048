using System.Text.Json.Nodes;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Routing;

/// <summary>Goldens of what changes from step to step: the bias for the choice, and ReMoE's λ.</summary>
internal static class GoldenRouterSteps
{
    public static void Check(Engine engine, GoldenRouterFile file)
    {
        foreach (var step in file["steps"].AsArray())
        {
            if (step!.AsObject().ContainsKey("bias_before"))
                CheckBias(engine, file.Part("policy"), new GoldenRouterFile(step));
            else
                CheckSparsity(engine, file, new GoldenRouterFile(step));
        }
    }

    private static void CheckBias(Engine engine, GoldenRouterFile policy, GoldenRouterFile step)
    {
        var layout = step.Layout(step["logits"]);
        var biasE = GoldenRouterFile.Numbers(step["bias_before"]);
        using var tape = engine.BeginTape(training: true);
        var logits = tape.Constant(GoldenRouterFile.Numbers(step["logits"]), layout.Tokens, biasE.Length);
        var plan = tape.Route(logits, GoldenRouterPairs.PolicyOf(policy, layout, biasE.Length), layout, tape.Constant(biasE, biasE.Length));

        long[] loadE = [.. Enumerable.Range(0, plan.Experts).Select(expert => (long)plan.TokensOf(expert).Length)];
        Assert.Equal(GoldenRouterFile.Numbers(step["load"]).Select(load => (long)load), loadE);
        ChoiceBiasUpdate.Apply(biasE, loadE, policy.Number("updateRate", 0.001));
        GoldenRouterFile.AssertClose("bias", step["bias_after"], biasE);
    }

    private static void CheckSparsity(Engine engine, GoldenRouterFile file, GoldenRouterFile step)
    {
        var layout = step.Layout(step["logits"]);
        var experts = step["logits"][0]![0]!.AsArray().Count;
        var k = file.Number("expertsPerToken", 1);
        var logits = engine.CreateParameter("logits", [layout.Tokens, experts], GoldenRouterFile.Numbers(step["logits"]), sparseRows: false);
        using var tape = engine.BeginTape(training: true);
        var plan = tape.Route(logits.Value, new ReluRouting(), layout);
        var weightsP = tape.CombineWeights(logits.Value, plan);
        var weightsTE = new float[layout.Tokens * experts];
        foreach (var (token, expert, weight) in GoldenRouterPairs.PairsOf(plan, weightsP.ToArray()))
            weightsTE[token * experts + expert] = weight;
        GoldenRouterFile.AssertClose("weights", step["weights"], weightsTE);
        GoldenRouterFile.AssertClose("l1", step["l1"], [weightsTE.Sum() / layout.Tokens]);

        var sparsity = new ReluSparsity(k, step.Number("lambda_before", 0), file.Number("alpha", 1.2));
        var loss = sparsity.Loss(tape, weightsP, plan, layout.Tokens);
        GoldenRouterFile.AssertClose("loss", step["loss"], loss.ToArray());
        GoldenRouterFile.AssertClose("l1, balanced", step["l1_load_balanced"], [loss.ToArray()[0] / (float)sparsity.Lambda]);
        tape.Backward(loss);
        var gradient = new float[logits.Value.Length];
        logits.Value.CopyGradientTo(gradient);
        GoldenRouterFile.AssertClose("gradient", step["grad.logits"], gradient);

        GoldenRouterFile.AssertClose("sparsity", step["sparsity"], [(float)ReluSparsity.Of(plan.Pairs, layout.Tokens, experts)]);
        sparsity.Update(plan.Pairs, layout.Tokens, experts);
        GoldenRouterFile.AssertClose("λ", step["lambda_after"], [(float)sparsity.Lambda]);
    }
}
