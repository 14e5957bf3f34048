using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Routing;
using Microsoft.ML.Moe.Tests.Training;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>The TorchSharp engine does what the managed engine does.</summary>
public sealed class EnginesAgreeTests : IDisposable
{
    private readonly ManagedEngine _managed = new(1);
    private readonly TorchEngine _torch = TestDevice.CreateEngine();

    public void Dispose()
    {
        _managed.Dispose();
        _torch.Dispose();
    }

    [SkippableTheory]
    [InlineData(RouterKind.TokenChoice)]
    [InlineData(RouterKind.Unified)]
    public void ModelTrainedOnOneEnginePredictsTheSameOnTheOther(RouterKind router)
    {
        foreach (var (from, to) in new (Engine, Engine)[] { (_managed, _torch), (_torch, _managed) })
        {
            var config = ToyTable.Config().WithEncoder(e => e with { Router = Routers.Default(router) });
            var trainer = new TextClassifierTrainer(config, 3, from);
            var trained = trainer.Train(ToyTable.Encoded(trainer.Input, 120, seed: 1));
            var (configFile, weights) = trained.Save();
            var loaded = ModelFiles.LoadText(new MemoryStream(configFile), new MemoryStream(weights), to);
            var expected = Score(trained);
            TestNumbers.AssertClose(Reference.Doubles(expected), Score(loaded), 1e-4);

            // The same files from either engine, and a model that has learned something.
            var (configAgain, weightsAgain) = loaded.Save();
            Assert.Equal(configFile, configAgain);
            Assert.Equal(weights, weightsAgain);
            Assert.True(Accuracy(expected) > 0.9, $"Accuracy {Accuracy(expected)}.");
        }
    }

    [SkippableTheory]
    [InlineData(ImageStem.Patches)]
    [InlineData(ImageStem.Convolutional)]
    public void ImageModelTrainedOnOneEnginePredictsTheSameOnTheOther(ImageStem stem)
    {
        ImagePixels[] images = [.. ToyImages.Rows(60, seed: 2).Select(row => row.Input)];
        foreach (var (from, to) in new (Engine, Engine)[] { (_managed, _torch), (_torch, _managed) })
        {
            var ofStem = ToyImages.Config(epochs: 4) with { Stem = stem };
            var trained = new ImageClassifierTrainer(ofStem, ToyImages.Input, ToyImages.Classes, from).Train(ToyImages.Rows(120, seed: 1));
            var (config, weights) = trained.Save();
            var loaded = ModelFiles.LoadImage(new MemoryStream(config), new MemoryStream(weights), to);
            TestNumbers.AssertClose(Reference.Doubles(trained.Scores(images)), loaded.Scores(images), 1e-4);
        }
    }

    public static TheoryData<string> Variants => [.. _variants.Keys];

    private static readonly Dictionary<string, Func<TextClassifierConfig, TextClassifierConfig>> _variants = new()
    {
        ["Plain"] = c => c,
        ["Unified"] = c => c.WithEncoder(e => e with { Router = Router.Unified(1.5), RouterZLossCoefficient = 0.01f }),
        ["ExpertChoiceWithPadding"] = c => c.WithEncoder(e => e with { Router = Router.ExpertChoice() with { MaskPadding = false } }),
        ["AccumulatedWithAFrozenRouter"] = c => c.WithTraining(t => t with { AccumulationSteps = 2, BatchSize = 8, FreezeRouter = true }),
        ["GlobalWorkspace"] = c => c.WithTraining(t => t with { GlobalWorkspace = new(0.9, MaxTokensPerSequence: 4) }),
    };

    [SkippableTheory]
    [MemberData(nameof(Variants))]
    public void StepsWithoutChanceAreTheSame(string variant)
    {
        // Dropout draws other numbers on each engine; all else is the same from the same start.
        float[] Train(Engine engine)
        {
            var config = ToyTable.Config(epochs: 2).WithEncoder(e => e with { Dropout = 0f })
                with { Noise = new() { TokenMaskRate = 0f, WordDropRate = 0f } };
            var trainer = new TextClassifierTrainer(_variants[variant](config), 3, engine);
            return Score(trainer.Train(ToyTable.Encoded(trainer.Input, 96, seed: 1)));
        }

        TestNumbers.AssertClose(Reference.Doubles(Train(_managed)), Train(_torch), 1e-3);
    }

    [SkippableFact]
    public void TrainingTwiceWithOneSeedGivesOneModel()
    {
        float[] Train()
        {
            var config = ToyTable.Config(epochs: 2).WithTraining(t => t with { AccumulationSteps = 2 });
            var trainer = new TextClassifierTrainer(config, 3, _torch);
            return Score(trainer.Train(ToyTable.Encoded(trainer.Input, 96, seed: 1)));
        }

        Assert.Equal(Train(), Train());
    }

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public void ExpertsOfAnySkewAgree(bool hasBias)
    {
        // From even loads to one expert with nearly all tokens.
        foreach (var share in new[] { 0.25, 0.5, 0.97 })
        {
            var plan = Plan(share, broadcast: share > 0.9);
            var (expected, actual) = (Run(_managed), Run(_torch));
            for (var i = 0; i < expected.Count; i++)
                TestNumbers.AssertClose(Reference.Doubles(expected[i]), actual[i], 1e-4);

            List<float[]> Run(Engine engine)
            {
                Parameter[] p =
                [
                    engine.CreateParameter("x", [64, 12], TestNumbers.Normal(1, 64 * 12)),
                    engine.CreateParameter("logits", [64, 4], TestNumbers.Normal(2, 64 * 4)),
                    engine.CreateParameter("w1", [4, 12, 10], TestNumbers.Normal(3, 4 * 12 * 10, 0.3f)),
                    engine.CreateParameter("w2", [4, 10, 12], TestNumbers.Normal(4, 4 * 12 * 10, 0.3f)),
                    engine.CreateParameter("b1", [4, 10], TestNumbers.Normal(5, 40)),
                    engine.CreateParameter("b2", [4, 12], TestNumbers.Normal(6, 48)),
                    engine.CreateParameter("gate", [4, 12, 10], TestNumbers.Normal(7, 4 * 12 * 10, 0.3f)),
                ];
                using var tape = engine.BeginTape(training: true);
                var experts = hasBias
                    ? new Experts(p[2], p[4], p[3], p[5], Activation.Silu)
                    : new Experts(p[2], null, p[3], null, Activation.Silu, p[6]);
                var weights = tape.CombineWeights(p[1], plan);
                var y = tape.GroupedExperts(p[0], weights, plan, experts);
                var values = y.ToArray();
                tape.Backward(tape.CrossEntropy(y, TestNumbers.Indices(8, 64, 12), []));
                return [values, .. p.Select(Gradient)];
            }
        }
    }

    [SkippableTheory]
    [InlineData("4 4", "")]
    [InlineData("3 4 1", "")]
    [InlineData("4 2 2", "6 7")]
    [InlineData("4 0 4", "1")]
    [InlineData("2 2 4", "0 1 2 3")]
    [InlineData("8", "0 7")]
    public void SequencesOfAnyLengthsAgree(string lengths, string padding)
    {
        // The third case has as many rows as places in the padded form, but not the same ones.
        var offsets = lengths.Split(' ').Select(int.Parse).Aggregate(new List<int> { 0 }, (all, length) => [.. all, all[^1] + length]);
        var padded = padding.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse).ToHashSet();
        var layout = new SequenceLayout([.. offsets], [.. Enumerable.Range(0, 8).Select(row => !padded.Contains(row))]);
        var (expected, actual) = (Run(_managed), Run(_torch));
        for (var i = 0; i < expected.Count; i++)
            TestNumbers.AssertClose(Reference.Doubles(expected[i]), actual[i], 1e-5);

        List<float[]> Run(Engine engine)
        {
            var x = engine.CreateParameter("x", [8, 12], TestNumbers.Normal(1, 96));
            using var tape = engine.BeginTape(training: true);
            var attention = tape.Attention(x, layout, 2);
            var pooled = tape.Concat(
                tape.MeanPool(attention, layout), tape.MaxPool(attention, layout), tape.AttentionPool(x, attention, layout));
            float[][] values = [attention.ToArray(), pooled.ToArray()];
            var losses = tape.Add(tape.LoadBalancingLoss(x, layout), tape.RouterZLoss(x, layout));
            tape.Backward(tape.Add(losses, tape.CrossEntropy(pooled, new int[layout.Sequences], [])));
            return [.. values, Gradient(x)];
        }
    }

    [SkippableFact]
    public void OptimizersGoOnFromEachOthersState()
    {
        foreach (var (from, to) in new (Engine, Engine)[] { (_managed, _torch), (_torch, _managed) })
        {
            using var first = new Training(from);
            using var second = new Training(to);
            first.Steps(0, 3);
            second.Take(first);
            first.Steps(3, 6);
            second.Steps(3, 6);
            for (var i = 0; i < first.Parameters.Length; i++)
                TestNumbers.AssertClose(Reference.Doubles(first.Parameters[i].Value.ToArray()), second.Parameters[i].Value.ToArray(), 1e-5);
        }
    }

    private static RoutingPlan Plan(double shareOfFirst, bool broadcast)
    {
        var random = new Random(3);
        var tokens = Enumerable.Range(0, 64).ToLookup(_ => random.NextDouble() < shareOfFirst ? 0 : random.Next(1, 4));
        var isBroadcast = new bool[64];
        isBroadcast[5] = broadcast;
        int[][] tokensOfExperts = [.. Enumerable.Range(0, 4).Select(e => tokens[e].Where(t => t != 5).Append(5).Order().ToArray())];
        var offsets = new int[5];
        for (var expert = 0; expert < 4; expert++)
            offsets[expert + 1] = offsets[expert] + tokensOfExperts[expert].Length;
        var rule = new CombineRule(0.3f, WeightNormalization.Selected);
        return new RoutingPlan(64, offsets, [.. tokensOfExperts.SelectMany(t => t)], rule, broadcast ? isBroadcast : null);
    }

    private static float[] Gradient(Parameter parameter)
    {
        var gradient = new float[parameter.Value.Length];
        parameter.Value.CopyGradientTo(gradient);
        return gradient;
    }

    private static float[] Score(Model<EncodedText> classifier) =>
        classifier.Scores([.. ToyTable.Encoded(classifier.Input, 60, seed: 9).Select(row => row.Input)]);

    private static double Accuracy(float[] scores) =>
        scores.Chunk(3).Select((row, i) => Reference.Largest(row) == i % 3 ? 1.0 : 0.0).Average();

    private sealed class Training : IDisposable
    {
        private readonly Engine _engine;
        private readonly Optimizer _optimizer;

        public Training(Engine engine)
        {
            _engine = engine;
            Parameters =
            [
                engine.CreateParameter("table", [9, 4], TestNumbers.Normal(1, 36), sparseRows: true),
                engine.CreateParameter("w", [4, 3], TestNumbers.Normal(2, 12)),
                engine.CreateParameter("experts", [2, 3, 5], TestNumbers.Normal(3, 30), sparseRows: true),
                engine.CreateParameter("experts2", [2, 5, 3], TestNumbers.Normal(4, 30), sparseRows: true),
            ];
            _optimizer = engine.CreateAdamW([new ParameterGroup(Parameters, 0.05f, 0.1f)]);
        }

        public Parameter[] Parameters { get; }

        public void Dispose() => _optimizer.Dispose();

        public void Take(Training other)
        {
            _optimizer.SetState(other._optimizer.GetState().ToDictionary(values => values.Name));
            for (var i = 0; i < Parameters.Length; i++)
                Parameters[i].Value.CopyFrom(other.Parameters[i].Value.ToArray());
        }

        public void Steps(int first, int end)
        {
            for (var step = first; step < end; step++)
            {
                using var tape = _engine.BeginTape(training: true);
                var logits = tape.Linear(tape.Embedding(Parameters[0], TestNumbers.Indices(step, 5, 9)), Parameters[1]);
                var plan = new RoutingPlan(5, [0, 3, 5], [0, 1, 2, 3, 4], new CombineRule(0f, WeightNormalization.None));
                var experts = new Experts(Parameters[2], null, Parameters[3], null, Activation.Tanh);
                logits = tape.GroupedExperts(logits, tape.Constant([1, 1, 1, 1, 1], 5), plan, experts);
                tape.Backward(tape.CrossEntropy(logits, TestNumbers.Indices(step, 5, 3), []));
                _optimizer.Step(1f);
            }
        }
    }
}
