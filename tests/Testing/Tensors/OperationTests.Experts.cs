using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Tensors;

public abstract partial class OperationTests
{
    /// <summary>Five tokens, four experts: token 1 has no expert, token 4 has all (broadcast), expert 2 has only that token.</summary>
    private static RoutingPlan Plan(CombineRule rule, bool broadcast = false) => new(
        5,
        [0, 3, 5, 6, 9],
        [0, 2, 4, 0, 4, 4, 2, 3, 4],
        rule,
        broadcast ? [false, false, false, false, true] : null);

    public static TheoryData<float, WeightNormalization, bool> Rules
    {
        get
        {
            var rules = new TheoryData<float, WeightNormalization, bool>();
            foreach (var alpha in new[] { 0f, 0.3f, 1f })
            {
                foreach (var normalization in Enum.GetValues<WeightNormalization>())
                {
                    rules.Add(alpha, normalization, false);
                    rules.Add(alpha, normalization, true);
                }
            }

            return rules;
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Rules))]
    public void CombineWeights(float alpha, WeightNormalization normalization, bool broadcast)
    {
        using var engine = CreateEngine();
        var plan = Plan(new CombineRule(alpha, normalization), broadcast);
        var logits = new Input([5, 4], TestNumbers.Normal(1, 20, 2f));
        var expected = new double[plan.Pairs];
        for (var expert = 0; expert < 4; expert++)
        {
            for (var i = 0; i < plan.TokensOf(expert).Length; i++)
            {
                var token = plan.TokensOf(expert)[i];
                var l = logits.Values.AsSpan(token * 4, 4).ToArray();
                var p = Reference.Softmax(l);
                var u = p.Zip(l, (pe, le) => alpha * 2 / 4 / (1 + Math.Exp(-le)) + (1 - alpha) * pe).ToArray();
                var sum = normalization switch
                {
                    WeightNormalization.Selected => Enumerable.Range(0, 4).Where(e => plan.TokensOf(e).Contains(token)).Sum(e => u[e]),
                    WeightNormalization.All => u.Sum(),
                    _ => 1,
                };
                var pair = new[] { 0, 3, 5, 6 }[expert] + i;
                expected[pair] = plan.IsBroadcast(token) ? p[expert] : u[expert] / sum;
            }
        }

        TestNumbers.AssertClose(expected, Forward(engine, (tape, p) => tape.CombineWeights(p[0], plan), logits));
        GradientCheck.Run(engine, (tape, p) => tape.CombineWeights(p[0], plan), [logits]);
    }

    [SkippableTheory]
    [InlineData(ScoreFunction.Sigmoid, WeightNormalization.None)]
    [InlineData(ScoreFunction.Sigmoid, WeightNormalization.Selected)]
    [InlineData(ScoreFunction.Sigmoid, WeightNormalization.All)]
    [InlineData(ScoreFunction.Relu, WeightNormalization.None)]
    [InlineData(ScoreFunction.Relu, WeightNormalization.Selected)]
    [InlineData(ScoreFunction.SparseMixer, WeightNormalization.None)]
    [InlineData(ScoreFunction.SparseMixer, WeightNormalization.Selected)]
    public void CombineWeightsOfOtherScores(ScoreFunction function, WeightNormalization normalization)
    {
        using var engine = CreateEngine();
        // without differences below twice the step of the finite differences, and with a logit of 0 between two others
        var logits = new Input([5, 4], [1, -1.5f, 2, 0, 0.3f, 1.1f, -2, 0.7f, -1, -2, 1.3f, -0.5f, 0.8f, 2, 1.5f, -3, -0.4f, 0.6f, 1.7f, 0.1f]);
        foreach (var broadcast in new[] { false, true })
        {
            var plan = Plan(new CombineRule(0f, normalization) { Score = function, Tolerance = 0.6f }, broadcast);
            var expected = new double[plan.Pairs];
            for (var (expert, pair) = (0, 0); expert < 4; expert++)
            {
                foreach (var token in plan.TokensOf(expert))
                {
                    var l = logits.Values.AsSpan(token * 4, 4).ToArray();
                    var u = Enumerable.Range(0, 4).Select(e => Score(l, e)).ToArray();
                    var sum = normalization switch
                    {
                        WeightNormalization.Selected => Enumerable.Range(0, 4).Where(e => plan.TokensOf(e).Contains(token)).Sum(e => u[e]),
                        WeightNormalization.All => u.Sum(),
                        _ => 1,
                    };
                    expected[pair++] = plan.IsBroadcast(token) ? Reference.Softmax(l)[expert] : sum == 0 ? 0 : u[expert] / sum;
                }
            }

            TestNumbers.AssertClose(expected, Forward(engine, (tape, p) => tape.CombineWeights(p[0], plan), logits));
            // a logit of 0 is where ReLU has no gradient
            var smooth = new Input([5, 4], [.. logits.Values.Select(l => l == 0 ? -0.9f : l)]);
            GradientCheck.Run(engine, (tape, p) => tape.CombineWeights(p[0], plan), [smooth]);
        }

        double Score(float[] l, int e) => function switch
        {
            ScoreFunction.Sigmoid => 1 / (1 + Math.Exp(-l[e])),
            ScoreFunction.Relu => Math.Max(l[e], 0),
            _ => 1 / Enumerable.Range(0, 4)
                .Where(i => i == e || (l[i] < l[e] && (l[e] - l[i]) / Math.Max(Math.Abs(l[i]), l[e]) <= 0.6f))
                .Sum(i => Math.Exp(l[i] - l[e])),
        };
    }

    [SkippableFact]
    public void CombineWeightsAreDividedByNoLessThanTheSmallestSum()
    {
        using var engine = CreateEngine();
        var rule = new CombineRule(0f, WeightNormalization.Selected) { Score = ScoreFunction.Sigmoid, SmallestSum = 0.9f };
        var plan = new RoutingPlan(2, [0, 2, 4], [0, 1, 0, 1], rule);
        // sigmoids of 0.5 + 0.5 and, below 0.9, of 0.25 + 0.5
        var logits = new Input([2, 2], [0, 0, -MathF.Log(3), 0]);
        TestNumbers.AssertClose([0.5, 0.25 / 0.9, 0.5, 0.5 / 0.9], Forward(engine, (tape, p) => tape.CombineWeights(p[0], plan), logits));
        GradientCheck.Run(engine, (tape, p) => tape.CombineWeights(p[0], plan), [logits]);
    }

    [SkippableFact]
    public void CombineWeightsOfUnderflownScoresAreZero()
    {
        // softmax(1000, 0) = (1, 0) in single precision; a token that only expert 1 took has nothing to be normalised by.
        using var engine = CreateEngine();
        var plan = new RoutingPlan(1, [0, 0, 1], [0], new CombineRule(0f, WeightNormalization.Selected));
        Assert.Equal([0f], Forward(engine, (tape, p) => tape.CombineWeights(p[0], plan), new Input([1, 2], [1000f, 0f])));
    }

    public static TheoryData<Activation, bool, bool> ExpertForms => new()
    {
        { Activation.GeluTanh, false, false },
        { Activation.GeluTanh, true, false },
        { Activation.Silu, false, true },
        { Activation.Silu, true, true },
        { Activation.GeluErf, false, false },
        { Activation.ClampedSwish, true, true },
    };

    private static Input[] ExpertInputs(int tokens, int pairs, int experts, int width, int hidden) =>
    [
        Input.Random(1, tokens, width),
        Input.Random(2, pairs),
        new Input([experts, width, hidden], TestNumbers.Normal(3, experts * width * hidden, 1f / MathF.Sqrt(width))),
        new Input([experts, hidden, width], TestNumbers.Normal(4, experts * hidden * width, 1f / MathF.Sqrt(hidden))),
        Input.Random(5, experts, hidden),
        Input.Random(6, experts, width),
        new Input([experts, width, hidden], TestNumbers.Normal(7, experts * width * hidden, 1f / MathF.Sqrt(width))),
        Input.Random(8, experts, hidden),
    ];

    // gpt-oss's experts, whose gates have a bias and an activation
    private static Activation GateActivationOf(Activation activation) =>
        activation == Activation.ClampedSwish ? Activation.ClampedIncrement : Activation.None;

    private static Tensor RunExperts(
        Tape tape, Tensor[] p, RoutingPlan plan, Activation activation, bool hasBias, bool hasGate) => tape.GroupedExperts(
            p[0],
            p[1],
            plan,
            new Experts(
                p[2],
                hasBias ? p[4] : null,
                p[3],
                hasBias ? p[5] : null,
                activation,
                hasGate ? p[6] : null,
                GateActivationOf(activation) == Activation.None ? null : p[7],
                GateActivationOf(activation)));

    [SkippableTheory]
    [MemberData(nameof(ExpertForms))]
    public void GroupedExpertsEqualDoubleLoop(Activation activation, bool hasBias, bool hasGate)
    {
        using var engine = CreateEngine();
        foreach (var (width, hidden) in new[] { (1, 1), (3, 5), (40, 35), (34, 290), (512, 6), (6, 1024) })
        {
            var plan = Plan(new CombineRule(0f, WeightNormalization.None));
            var inputs = ExpertInputs(5, plan.Pairs, 4, width, hidden);
            var y = Forward(engine, (tape, p) => RunExperts(tape, p, plan, activation, hasBias, hasGate), inputs);
            var expected = new double[5 * width];
            var pair = 0;
            for (var expert = 0; expert < 4; expert++)
            {
                foreach (var token in plan.TokensOf(expert))
                {
                    var output = OneExpert(inputs, expert, token, width, hidden, activation, hasBias, hasGate);
                    for (var c = 0; c < width; c++)
                        expected[token * width + c] += inputs[1].Values[pair] * output[c];
                    pair++;
                }
            }

            TestNumbers.AssertClose(expected, y);
        }
    }

    [SkippableTheory]
    [MemberData(nameof(ExpertForms))]
    public void GroupedExpertsGradients(Activation activation, bool hasBias, bool hasGate)
    {
        using var engine = CreateEngine();
        var plan = Plan(new CombineRule(0f, WeightNormalization.None));
        var inputs = ExpertInputs(5, plan.Pairs, 4, 3, 5);
        GradientCheck.Run(engine, (tape, p) => RunExperts(tape, p, plan, activation, hasBias, hasGate), inputs);
        GradientCheck.Run(
            engine,
            (tape, p) => tape.Add(p[0], RunExperts(tape, p, plan, activation, hasBias, hasGate)),
            inputs);
    }

    [SkippableTheory]
    [InlineData(2, 512)]
    [InlineData(512, 2)]
    public void RowsOfWholePagesGiveWhatRowsWithOneZeroMoreGive(int width, int hidden)
    {
        // Rows of 512 are kept apart, so that they do not share places in the cache; rows of 513 are not.
        var (wider, more) = (width == 512 ? 513 : width, hidden == 512 ? 513 : hidden);
        int[][] shapes = [[2, width], [1, 2], [width, hidden], [hidden, width], [1, hidden], [1, width], [width, hidden], [1, hidden]];
        int[][] widerShapes = [[2, wider], [1, 2], [wider, more], [more, wider], [1, more], [1, wider], [wider, more], [1, more]];
        var inputs = ExpertInputs(2, 2, 1, width, hidden);
        var widerInputs = ExpertInputs(2, 2, 1, wider, more)
            .Select((input, i) => input with { Values = Resize(inputs[i].Values, shapes[i], widerShapes[i]) })
            .ToArray();

        var expected = ExpertGradients(widerInputs, Resize(TestNumbers.Normal(8, width), [1, width], [1, wider]));
        var actual = ExpertGradients(inputs, TestNumbers.Normal(8, width));

        for (var i = 0; i < inputs.Length; i++)
            TestNumbers.AssertClose(Resize(expected[i], widerShapes[i], shapes[i]).Select(value => (double)value).ToArray(), actual[i]);
    }

    [SkippableFact]
    public void ExpertsWithoutTokensHaveNoGradient()
    {
        using var engine = CreateEngine();
        var plan = new RoutingPlan(2, [0, 0, 2, 2], [0, 1], new CombineRule(0f, WeightNormalization.None));
        GradientCheck.Run(
            engine, (tape, p) => RunExperts(tape, p, plan, Activation.GeluTanh, true, false), ExpertInputs(2, 2, 3, 3, 2));
    }

    [SkippableFact]
    public void NoPairsGiveZeros()
    {
        using var engine = CreateEngine();
        var plan = new RoutingPlan(2, [0, 0, 0], [], new CombineRule(0f, WeightNormalization.None));
        var inputs = ExpertInputs(2, 0, 2, 3, 2);
        Assert.Equal(new float[6], Forward(engine, (tape, p) => RunExperts(tape, p, plan, Activation.GeluTanh, true, false), inputs));
        GradientCheck.Run(engine, (tape, p) => RunExperts(tape, p, plan, Activation.GeluTanh, true, false), inputs);
        var empty = new RoutingPlan(0, [0, 0, 0], [], new CombineRule(0f, WeightNormalization.None));
        Assert.Empty(
            Forward(engine, (tape, p) => RunExperts(tape, p, empty, Activation.GeluTanh, true, false), ExpertInputs(0, 0, 2, 3, 2)));
    }

    [SkippableFact]
    public void GroupedExpertsTrainOnlyWhatRequiresAGradient()
    {
        using var engine = CreateEngine();
        var plan = Plan(new CombineRule(0f, WeightNormalization.None));
        var inputs = ExpertInputs(5, plan.Pairs, 4, 3, 2);
        for (var trained = 0; trained < inputs.Length; trained++)
        {
            GradientCheck.Run(
                engine,
                (tape, p) =>
                {
                    var all = inputs.Select((input, i) => i == trained ? p[0] : tape.Constant(input.Values, input.Shape)).ToArray();
                    return RunExperts(tape, all, plan, Activation.ClampedSwish, true, true);
                },
                [inputs[trained]]);
        }
    }

    [SkippableFact]
    public void OneExpertIsTheDenseFeedForward()
    {
        using var engine = CreateEngine();
        var inputs = ExpertInputs(5, 5, 1, 6, 7);
        inputs[1] = new Input([5], [1, 1, 1, 1, 1]);
        var plan = new RoutingPlan(5, [0, 5], [0, 1, 2, 3, 4], new CombineRule(0f, WeightNormalization.None));
        var sparse = Forward(engine, (tape, p) => RunExperts(tape, p, plan, Activation.GeluTanh, true, false), inputs);
        var dense = Forward(
            engine,
            (tape, p) => tape.Linear(tape.Linear(p[0], p[1], p[2], Activation.GeluTanh), p[3], p[4]),
            inputs[0],
            new Input([6, 7], inputs[2].Values),
            new Input([7], inputs[4].Values),
            new Input([7, 6], inputs[3].Values),
            new Input([6], inputs[5].Values));
        TestNumbers.AssertClose(Reference.Doubles(dense), sparse, 1e-6);
    }

    [SkippableFact]
    public void ExpertLinearGivesEachPairItsExpertsProduct()
    {
        using var engine = CreateEngine();
        var plan = Plan(new CombineRule(0f, WeightNormalization.None));
        foreach (var (inputs, outputs) in new[] { (1, 1), (3, 5), (34, 290) })
        {
            Input[] all = [Input.Random(1, 5, inputs), Input.Random(2, 4, inputs, outputs)];
            var expected = new List<double>();
            for (var expert = 0; expert < 4; expert++)
            {
                foreach (var token in plan.TokensOf(expert))
                {
                    expected.AddRange(Reference.Linear(
                        all[0].Values.AsSpan(token * inputs, inputs), all[1].Values.AsSpan(expert * inputs * outputs), [], 1, inputs, outputs));
                }
            }

            TestNumbers.AssertClose([.. expected], Forward(engine, (tape, p) => tape.ExpertLinear(p[0], p[1], plan), all));
        }

        Input[] small = [Input.Random(1, 5, 3), Input.Random(2, 4, 3, 2)];
        GradientCheck.Run(engine, (tape, p) => tape.ExpertLinear(p[0], p[1], plan), small);
        GradientCheck.Run(
            engine, (tape, p) => tape.Concat(tape.ExpertLinear(p[0], p[1], plan), tape.ExpertLinear(p[0], p[1], plan)), small);
        var none = new RoutingPlan(5, [0, 0, 0, 0, 0], [], plan.Weights);
        Assert.Empty(Forward(engine, (tape, p) => tape.ExpertLinear(p[0], p[1], none), small));
        using var tape = engine.BeginTape(training: false);
        Tensor Zeros(params int[] shape) => tape.Constant(new float[shape.Aggregate((a, b) => a * b)], shape);
        Assert.Throws<ArgumentException>(() => tape.ExpertLinear(Zeros(5, 2), Zeros(4, 3, 2), plan));
        Assert.Throws<ArgumentException>(() => tape.ExpertLinear(Zeros(4, 3), Zeros(4, 3, 2), plan));
        Assert.Throws<ArgumentException>(() => tape.ExpertLinear(Zeros(5, 3), Zeros(3, 3, 2), plan));
    }

    [SkippableFact]
    public void SumsOfPairsAreWeightedByToken()
    {
        using var engine = CreateEngine();
        var plan = Plan(new CombineRule(0f, WeightNormalization.None));
        foreach (var columns in new[] { 1, 3, 290 })
        {
            Input[] all = [Input.Random(1, plan.Pairs, columns), Input.Random(2, plan.Pairs)];
            var expected = new double[plan.Tokens * columns];
            var pair = 0;
            for (var expert = 0; expert < plan.Experts; expert++)
            {
                foreach (var token in plan.TokensOf(expert))
                {
                    for (var column = 0; column < columns; column++)
                        expected[token * columns + column] += all[1].Values[pair] * all[0].Values[pair * columns + column];
                    pair++;
                }
            }

            TestNumbers.AssertClose(expected, Forward(engine, (tape, p) => tape.SumPairs(p[0], p[1], plan), all));
        }

        Input[] small = [Input.Random(1, plan.Pairs, 3), Input.Random(2, plan.Pairs)];
        GradientCheck.Run(engine, (tape, p) => tape.SumPairs(p[0], p[1], plan), small);
        GradientCheck.Run(
            engine, (tape, p) => tape.Concat(tape.SumPairs(p[0], p[1], plan), tape.SumPairs(p[0], p[1], plan)), small);
        var none = new RoutingPlan(5, [0, 0, 0, 0, 0], [], plan.Weights);
        Assert.Equal(
            new float[15], Forward(engine, (tape, p) => tape.SumPairs(tape.Constant([], 0, 3), tape.Constant([], 0), none), small));
        using var tape = engine.BeginTape(training: false);
        Tensor Zeros(params int[] shape) => tape.Constant(new float[shape.Aggregate((a, b) => a * b)], shape);
        Assert.Throws<ArgumentException>(() => tape.SumPairs(Zeros(plan.Pairs + 1, 3), Zeros(plan.Pairs), plan));
        Assert.Throws<ArgumentException>(() => tape.SumPairs(Zeros(plan.Pairs, 3), Zeros(plan.Pairs - 1), plan));
    }

    [SkippableFact]
    public void GroupedExpertsRejectWhatDoesNotFit()
    {
        using var engine = CreateEngine();
        using var tape = engine.BeginTape(training: false);
        Tensor[] Tensors(Input[] inputs) => inputs.Select(i => tape.Constant(i.Values, i.Shape)).ToArray();
        var rule = new CombineRule(0f, WeightNormalization.None);
        var tensors = Tensors(ExpertInputs(5, 9, 4, 3, 2));
        Assert.Throws<ArgumentException>(() => RunExperts(
            tape, Tensors(ExpertInputs(4, 9, 4, 3, 2)), Plan(rule), Activation.GeluTanh, true, true));
        Assert.Throws<ArgumentException>(() => RunExperts(
            tape, Tensors(ExpertInputs(5, 8, 4, 3, 2)), Plan(rule), Activation.GeluTanh, true, true));
        Assert.Throws<ArgumentException>(() => RunExperts(
            tape, Tensors(ExpertInputs(5, 9, 3, 3, 2)), Plan(rule), Activation.GeluTanh, true, true));
        Assert.Throws<ArgumentException>(() => tape.GroupedExperts(
            tensors[0], tensors[1], Plan(rule), new Experts(tensors[2], null, tensors[2], null, Activation.GeluTanh)));
        Assert.Throws<ArgumentOutOfRangeException>(() => RunExperts(
            tape, tensors, new RoutingPlan(5, [0, 9, 9, 9, 9], [0, 1, 2, 3, 4, 5, 6, 7, 8], rule), Activation.GeluTanh, true, true));
        Assert.Throws<ArgumentException>(() => RunExperts(
            tape, tensors, new RoutingPlan(5, [0, 9, -1, 9, 9], [0, 1, 2, 3, 4, 0, 1, 2, 3], rule), Activation.GeluTanh, true, true));
        Assert.Throws<ArgumentException>(() => tape.CombineWeights(tensors[0], Plan(rule)));
    }

    private float[][] ExpertGradients(Input[] inputs, float[] readoutD)
    {
        using var engine = CreateEngine();
        var parameters = inputs.Select((input, i) => engine.CreateParameter($"input{i}", input.Shape, input.Values).Value).ToArray();
        var plan = new RoutingPlan(2, [0, 2], [1, 0], new CombineRule(0f, WeightNormalization.None));
        using var tape = engine.BeginTape(training: true);
        var yTD = RunExperts(tape, parameters, plan, Activation.Silu, true, true);
        var sumsT1 = tape.Linear(yTD, tape.Constant(readoutD, readoutD.Length, 1));
        tape.Backward(tape.MeanPool(sumsT1, new SequenceLayout([0, 2])));
        return
        [
            .. parameters.Select(parameter =>
            {
                var gradient = new float[parameter.Length];
                parameter.CopyGradientTo(gradient);
                return gradient;
            }),
        ];
    }

    // Zeros beyond the end.
    private static float[] Resize(float[] values, int[] shape, int[] newShape)
    {
        var result = new float[newShape[0] * newShape[1]];
        for (var row = 0; row < Math.Min(shape[0], newShape[0]); row++)
            values.AsSpan(row * shape[1], Math.Min(shape[1], newShape[1])).CopyTo(result.AsSpan(row * newShape[1]));
        return result;
    }

    private static double[] OneExpert(
        Input[] inputs, int expert, int token, int width, int hidden, Activation activation, bool hasBias, bool hasGate)
    {
        var x = inputs[0].Values.AsSpan(token * width, width);
        var b1 = hasBias ? inputs[4].Values.AsSpan(expert * hidden, hidden) : [];
        var h = Reference.Linear(x, inputs[2].Values.AsSpan(expert * width * hidden), b1, 1, width, hidden, activation);
        if (hasGate)
        {
            var gateActivation = GateActivationOf(activation);
            var bias = gateActivation == Activation.None ? [] : inputs[7].Values.AsSpan(expert * hidden, hidden);
            var gate = Reference.Linear(x, inputs[6].Values.AsSpan(expert * width * hidden), bias, 1, width, hidden, gateActivation);
            h = h.Zip(gate, (a, b) => a * b).ToArray();
        }

        var y = new double[width];
        for (var c = 0; c < width; c++)
        {
            y[c] = hasBias ? inputs[5].Values[expert * width + c] : 0;
            for (var f = 0; f < hidden; f++)
                y[c] += h[f] * inputs[3].Values[(expert * hidden + f) * width + c];
        }

        return y;
    }
}
