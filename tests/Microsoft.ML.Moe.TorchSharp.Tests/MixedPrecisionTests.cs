using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Torch;
using Microsoft.ML.Moe.Tests.Routing;
using Microsoft.ML.Moe.Tests.Training;
using Microsoft.ML.Moe.Training;
using TorchSharp;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>Training with products in bfloat16, against single precision.</summary>
public sealed class MixedPrecisionTests : IDisposable
{
    // A rounding to bfloat16 is one of up to 2⁻⁸; a dozen follow one another on the way forward and back.
    private const double Tolerance = 0.03;

    private readonly TorchEngine _full = TestDevice.CreateEngine();
    private readonly TorchEngine _mixed = TestDevice.CreateEngine(TrainingPrecision.BFloat16);

    public void Dispose()
    {
        _full.Dispose();
        _mixed.Dispose();
    }

    [SkippableFact]
    public void EngineSaysHowItTrains()
    {
        Assert.Contains("bfloat16", _mixed.Description, StringComparison.Ordinal);
        Assert.DoesNotContain("bfloat16", _full.Description, StringComparison.Ordinal);
        TestDevice.SkipWithoutLibrary();
        using var onProcessor = new TorchEngine();
        Assert.DoesNotContain("bfloat16", onProcessor.Description, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => new TorchEngine(precision: (TrainingPrecision)7));
    }

    [SkippableFact]
    public void RouterIsBitForBitThatOfSinglePrecision()
    {
        Assert.Equal(Run(_full), Run(_mixed));

        static List<float[]> Run(Engine engine)
        {
            var router = engine.CreateParameter("router", [24, 4], TestNumbers.Normal(1, 96));
            using var tape = engine.BeginTape(training: true);
            var layout = new SequenceLayout([0, 20, 64]);
            var logits = tape.RouterLogits(tape.Constant(TestNumbers.Normal(2, 64 * 24), 64, 24), router);
            var plan = tape.Route(logits, new Unified(1.5, 0.3), layout);
            var weights = tape.CombineWeights(logits, plan);
            var losses = tape.Add(tape.LoadBalancingLoss(logits, layout), tape.RouterZLoss(logits, layout));
            var tokens = Enumerable.Range(0, 4).SelectMany(expert => plan.TokensOf(expert).ToArray().Select(token => (float)token));
            float[][] values = [logits.ToArray(), weights.ToArray(), losses.ToArray(), [.. tokens]];
            tape.Backward(losses);
            return [.. values, Gradient(router)];
        }
    }

    [SkippableTheory]
    [InlineData(0.25, 0f)]
    [InlineData(0.97, 0f)]
    [InlineData(0.25, 0.3f)]
    public void StepIsThatOfSinglePrecisionButForRounding(double shareOfFirst, float dropout)
    {
        var (expected, actual) = (Block.Step(_full, shareOfFirst, dropout), Block.Step(_mixed, shareOfFirst, dropout));
        Assert.Equal(expected.Keys, actual.Keys);
        foreach (var (name, values) in expected)
        {
            var error = RelativeError(values, actual[name]);
            Assert.True(error is > 0 and < Tolerance, $"{name} differs by {error}.");
        }
    }

    [SkippableFact]
    public void WeightsAndGradientsStayInSinglePrecision()
    {
        var weight = _mixed.CreateParameter("w", [2, 1], [1f, -2f]);
        using var optimizer = _mixed.CreateAdamW([new ParameterGroup([weight], 1e-4f)]);
        for (var step = 0; step < 3; step++)
        {
            using var tape = _mixed.BeginTape(training: true);
            tape.Backward(tape.Linear(tape.Constant([1f, 1f], 1, 2), weight));
            var native = ((TorchTensor)weight.Value).Value;
            Assert.Equal((torch.ScalarType.Float32, torch.ScalarType.Float32), (native.dtype, native.grad!.dtype));
            optimizer.Step(1f);
        }

        // A step is a hundredth of what bfloat16 could tell from 1.
        TestNumbers.AssertClose([1 - 3e-4, -2 - 3e-4], weight.Value.ToArray(), 1e-6);
    }

    [SkippableFact]
    public void ScoringIsInSinglePrecision()
    {
        Assert.Equal(Run(_full, training: false), Run(_mixed, training: false));
        Assert.NotEqual(Run(_full, training: true), Run(_mixed, training: true));

        static float[] Run(Engine engine, bool training)
        {
            using var tape = engine.BeginTape(training);
            var x = tape.Linear(tape.Constant(TestNumbers.Normal(1, 96), 8, 12), tape.Constant(TestNumbers.Normal(2, 12 * 36), 12, 36));
            return tape.Attention(x, new SequenceLayout([0, 3, 8]), 2).ToArray();
        }
    }

    [SkippableTheory]
    [InlineData(RouterKind.TokenChoice)]
    [InlineData(RouterKind.Unified)]
    public void ModelLearnsAndPredictsTheSameOnTheManagedEngine(RouterKind router)
    {
        var toy = ToyTable.Config().WithEncoder(e => e with { Router = Routers.Default(router) });
        var trainer = new TextClassifierTrainer(toy, 3, _mixed);
        var trained = trainer.Train(ToyTable.Encoded(trainer.Input, 120, seed: 1));
        var (config, weights) = trained.Save();
        using var managed = new ManagedEngine(1);
        var scores = Score(trained);
        TestNumbers.AssertClose(Reference.Doubles(scores), Score(ModelFiles.LoadText(new MemoryStream(config), new MemoryStream(weights), managed)), 1e-4);
        var accuracy = scores.Chunk(3).Select((row, i) => Reference.Largest(row) == i % 3 ? 1.0 : 0.0).Average();
        Assert.True(accuracy > 0.9, $"Accuracy {accuracy}.");
    }

    private static float[] Score(Model<EncodedText> classifier) =>
        classifier.Scores([.. ToyTable.Encoded(classifier.Input, 60, seed: 9).Select(row => row.Input)]);

    private static float[] Gradient(Parameter parameter)
    {
        var gradient = new float[parameter.Value.Length];
        parameter.Value.CopyGradientTo(gradient);
        return gradient;
    }

    private static double RelativeError(float[] expected, float[] actual) =>
        Math.Sqrt(expected.Zip(actual, (e, a) => Math.Pow(e - a, 2)).Sum() / expected.Sum(e => Math.Pow(e, 2)));

    /// <summary>A transformer block with experts, loss and all.</summary>
    private static class Block
    {
        private const int Tokens = 64;
        private const int Width = 24;
        private const int Experts = 4;
        private const int Hidden = 20;

        /// <summary>The output, the loss and every parameter's gradient.</summary>
        public static Dictionary<string, float[]> Step(Engine engine, double shareOfFirst, float dropout)
        {
            var seed = 0;
            var parameters = new Dictionary<string, Parameter>();
            Parameter New(string name, float spread, params int[] shape) => parameters[name] =
                engine.CreateParameter(name, shape, TestNumbers.Normal(++seed, TestNumbers.Product(shape), spread));
            var (x, gain, bias) = (New("x", 1f, Tokens, Width), New("gain", 1f, Width), New("bias", 1f, Width));
            var (qkv, qkvBias) = (New("qkv", 0.2f, Width, 3 * Width), New("qkvBias", 1f, 3 * Width));
            var (output, router) = (New("output", 0.2f, Width, Width), New("router", 0.2f, Width, Experts));
            var experts = new Experts(
                New("w1", 0.2f, Experts, Width, Hidden),
                New("b1", 1f, Experts, Hidden),
                New("w2", 0.2f, Experts, Hidden, Width),
                New("b2", 1f, Experts, Width),
                Activation.GeluTanh,
                New("gate", 0.2f, Experts, Width, Hidden));

            using var tape = engine.BeginTape(training: true, seed: 5);
            var layout = new SequenceLayout([0, 10, 10, 41, Tokens], [.. Enumerable.Range(0, Tokens).Select(token => token != 7)]);
            var attention = tape.Attention(tape.Linear(tape.LayerNorm(x, gain, bias), qkv, qkvBias), layout, 3, dropout);
            var y = tape.Add(x, tape.Dropout(tape.Linear(attention, output, null, Activation.GeluTanh), dropout));
            var normal = tape.LayerNorm(y, gain, bias);
            var logits = tape.RouterLogits(normal, router);
            var plan = Plan(shareOfFirst);
            y = tape.Add(y, tape.GroupedExperts(normal, tape.CombineWeights(logits, plan), plan, experts));
            var pooled = tape.Concat(tape.MeanPool(y, layout), tape.AttentionPool(y, tape.Linear(y, output), layout));
            var loss = tape.CrossEntropy(tape.Scale(pooled, 3f), [0, 1, 2, 3], []);
            loss = tape.Add(loss, tape.Add(tape.LoadBalancingLoss(logits, layout), tape.RouterZLoss(logits, layout)));
            var values = new Dictionary<string, float[]> { ["output"] = y.ToArray(), ["loss"] = loss.ToArray() };
            tape.Backward(loss);
            foreach (var (name, parameter) in parameters)
                values["gradient of " + name] = Gradient(parameter);
            return values;
        }

        // Of a fixed plan, because rounding in the attention before may change the choice between two experts.
        private static RoutingPlan Plan(double shareOfFirst)
        {
            var random = new Random(3);
            var tokens = Enumerable.Range(0, Tokens).ToLookup(_ => random.NextDouble() < shareOfFirst ? 0 : random.Next(1, Experts));
            var offsets = new int[Experts + 1];
            for (var expert = 0; expert < Experts; expert++)
                offsets[expert + 1] = offsets[expert] + tokens[expert].Count();
            return new RoutingPlan(
                Tokens,
                offsets,
                [.. Enumerable.Range(0, Experts).SelectMany(expert => tokens[expert])],
                new CombineRule(0.3f, WeightNormalization.None));
        }
    }
}
