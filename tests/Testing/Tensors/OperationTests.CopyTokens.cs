using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Tensors;

public abstract partial class OperationTests
{
    [SkippableFact]
    public void CopyTokensMultiplyByTheSumOfTheirWeights()
    {
        using var engine = CreateEngine();
        var plan = Plan(new CombineRule(0f, WeightNormalization.None));
        foreach (var width in new[] { 1, 3, 40 })
        {
            Input[] inputs = [Input.Random(1, 5, width), Input.Random(2, plan.Pairs)];
            var expected = new double[5 * width];
            var pair = 0;
            for (var expert = 0; expert < 4; expert++)
            {
                foreach (var token in plan.TokensOf(expert))
                {
                    for (var c = 0; c < width; c++)
                        expected[token * width + c] += inputs[1].Values[pair] * inputs[0].Values[token * width + c];
                    pair++;
                }
            }

            TestNumbers.AssertClose(expected, Forward(engine, (tape, p) => tape.CopyTokens(p[0], p[1], plan), inputs));
        }
    }

    [SkippableFact]
    public void CopyTokensGradients()
    {
        using var engine = CreateEngine();
        var plan = Plan(new CombineRule(0f, WeightNormalization.None));
        Input[] inputs = [Input.Random(1, 5, 3), Input.Random(2, plan.Pairs)];
        GradientCheck.Run(engine, (tape, p) => tape.CopyTokens(p[0], p[1], plan), inputs);
        GradientCheck.Run(engine, (tape, p) => tape.Add(p[0], tape.CopyTokens(p[0], p[1], plan)), inputs);
        GradientCheck.Run(engine, (tape, p) => tape.CopyTokens(p[0], tape.Constant(inputs[1].Values, plan.Pairs), plan), inputs[..1]);
        GradientCheck.Run(engine, (tape, p) => tape.CopyTokens(tape.Constant(inputs[0].Values, 5, 3), p[0], plan), inputs[1..]);
    }

    [SkippableFact]
    public void CopyTokensOfNoPairsAreZeros()
    {
        using var engine = CreateEngine();
        var rule = new CombineRule(0f, WeightNormalization.None);
        var plan = new RoutingPlan(2, [0, 0, 0], [], rule);
        Input[] inputs = [Input.Random(1, 2, 3), new Input([0], [])];
        Assert.Equal(new float[6], Forward(engine, (tape, p) => tape.CopyTokens(p[0], p[1], plan), inputs));
        GradientCheck.Run(engine, (tape, p) => tape.CopyTokens(p[0], p[1], plan), inputs);
        var empty = new RoutingPlan(0, [0, 0, 0], [], rule);
        Assert.Empty(Forward(engine, (tape, p) => tape.CopyTokens(p[0], p[1], empty), Input.Random(1, 0, 3), new Input([0], [])));
    }

    [SkippableFact]
    public void CopyTokensRejectWhatDoesNotFit()
    {
        using var engine = CreateEngine();
        using var tape = engine.BeginTape(training: false);
        var plan = Plan(new CombineRule(0f, WeightNormalization.None));
        var weights = tape.Constant(new float[plan.Pairs], plan.Pairs);
        Assert.Throws<ArgumentException>(() => tape.CopyTokens(tape.Constant(new float[12], 4, 3), weights, plan));
        Assert.Throws<ArgumentException>(() => tape.CopyTokens(tape.Constant(new float[15], 15), weights, plan));
        Assert.Throws<ArgumentException>(() => tape.CopyTokens(tape.Constant(new float[15], 5, 3), tape.Constant([1], 1), plan));
    }
}
