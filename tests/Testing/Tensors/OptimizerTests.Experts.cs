using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>Experts that no token came to.</summary>
public abstract partial class OptimizerTests
{
    private const int StackedExperts = 4;

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public void AnExpertWithoutTokensIsLeftOutOrHasZeros(bool skips)
    {
        using var engine = CreateEngine();
        var stacks = Stacks(engine);
        var experts = new Experts(stacks[0], stacks[1], stacks[2], stacks[3], Activation.GeluTanh);
        using var optimizer = engine.CreateAdamW([Group(stacks) with { SkipsWithoutGradient = skips }]);
        var expected = stacks.Select(stack => Reference.Doubles(stack.Value.ToArray())).ToArray();
        var moments = stacks.Select(stack => (M: new double[stack.Value.Length], V: new double[stack.Value.Length])).ToArray();
        var steps = new int[StackedExperts];
        // of each step the experts of the tokens of two passes; the last expert never has one
        foreach (var (first, second) in new (int[], int[])[] { ([0, 1], [1, 1]), ([1], []), ([2, 2, 0], [0]), ([0], [0, 1, 2]), ([], []) })
        {
            Pass(engine, experts, first);
            Pass(engine, experts, second);
            var reached = Enumerable.Range(0, StackedExperts).Select(e => first.Contains(e) || second.Contains(e)).ToArray();
            Assert.All(stacks, stack => Assert.Equal(reached, stack.Value.ExpertsWithGradient));
            var gradients = stacks.Select(Gradient).ToArray();
            var norm = Math.Sqrt(gradients.Sum(gradient => gradient.Sum(g => (double)g * g)));
            Assert.Equal(norm, Clip(optimizer, 0.02f), 1e-5 * norm);
            var factor = Math.Min(1, 0.02 / norm);
            optimizer.Step(1f);
            for (var e = 0; e < StackedExperts; e++)
            {
                if (skips && !reached[e])
                    continue;
                steps[e]++;
                for (var s = 0; s < stacks.Length; s++)
                {
                    var length = expected[s].Length / StackedExperts;
                    for (var i = e * length; i < (e + 1) * length; i++)
                    {
                        var gradient = reached[e] ? factor * gradients[s][i] : 0;
                        expected[s][i] = ReferenceStep(expected[s][i], gradient, ref moments[s].M[i], ref moments[s].V[i], steps[e], 1);
                    }
                }
            }

            for (var s = 0; s < stacks.Length; s++)
                TestNumbers.AssertClose(expected[s], stacks[s].Value.ToArray(), 5e-6);
            Assert.All(stacks, stack => Assert.All(Gradient(stack), g => Assert.Equal(0f, g)));
        }

        var counts = optimizer.GetState().Single(values => values.Name == "w1.steps").Values;
        Assert.Equal(skips ? [3f, 3f, 2f, 0f] : [5f], counts);
    }

    [SkippableFact]
    public void StepsByExpertGoOnFromAState()
    {
        using var engine = CreateEngine();
        var stacks = Stacks(engine);
        var experts = new Experts(stacks[0], stacks[1], stacks[2], stacks[3], Activation.GeluTanh);
        using var first = engine.CreateAdamW([Group(stacks) with { SkipsWithoutGradient = true }]);
        Steps(first, [0, 1], [1], [2]);
        var state = first.GetState().ToDictionary(values => values.Name);
        float[][] then = [.. stacks.Select(stack => stack.Value.ToArray())];
        Steps(first, [1, 2], [3, 0]);
        float[][] after = [.. stacks.Select(stack => stack.Value.ToArray())];

        foreach (var (stack, values) in stacks.Zip(then))
            stack.Value.CopyFrom(values);
        using var second = engine.CreateAdamW([Group(stacks) with { SkipsWithoutGradient = true }]);
        second.SetState(state);
        Steps(second, [1, 2], [3, 0]);

        Assert.All(stacks.Zip(after), pair => Assert.Equal(pair.Second, pair.First.Value.ToArray()));
        Assert.Equal([StackedExperts], state["w1.steps"].Shape);
        Assert.Throws<ArgumentException>(() => engine.CreateAdamW([Group(stacks)]).SetState(state));

        void Steps(Optimizer optimizer, params int[][] steps)
        {
            foreach (var expertsOfTokens in steps)
            {
                Pass(engine, experts, expertsOfTokens);
                optimizer.Step(1f);
            }
        }
    }

    private static Parameter[] Stacks(Engine engine)
    {
        (string Name, int[] Shape)[] stacks =
            [("w1", [StackedExperts, 3, 5]), ("b1", [StackedExperts, 5]), ("w2", [StackedExperts, 5, 3]), ("b2", [StackedExperts, 3])];
        return [.. stacks.Select((stack, i) =>
        {
            var parameter = engine.CreateParameter(
                stack.Name, stack.Shape, TestNumbers.Normal(i, stack.Shape.Aggregate(1, (product, size) => product * size)));
            parameter.IsStackOfExperts = true;
            return parameter;
        })];
    }

    /// <summary>Goes backward through a token for each expert that is named.</summary>
    private static void Pass(Engine engine, Experts experts, int[] expertsOfTokens)
    {
        if (expertsOfTokens.Length == 0)
            return;
        using var tape = engine.BeginTape(training: true);
        var logits = new float[expertsOfTokens.Length * StackedExperts];
        foreach (var (token, expert) in expertsOfTokens.Index())
            logits[token * StackedExperts + expert] = 3f;
        var logitsTE = tape.Constant(logits, expertsOfTokens.Length, StackedExperts);
        var layout = new SequenceLayout([0, expertsOfTokens.Length]);
        var plan = tape.Route(logitsTE, new TokenChoice(1, normalizeWeights: false), layout);
        var xTD = tape.Constant(TestNumbers.Normal(expertsOfTokens[0], expertsOfTokens.Length * 3), expertsOfTokens.Length, 3);
        tape.Backward(GradientCheck.Readout(tape, tape.GroupedExperts(xTD, tape.CombineWeights(logitsTE, plan), plan, experts)));
    }
}
