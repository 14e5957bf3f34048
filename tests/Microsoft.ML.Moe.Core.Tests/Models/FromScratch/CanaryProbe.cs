
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tokenizers;
using Microsoft.ML.Moe.Training;
namespace Microsoft.ML.Moe.Tests.Models;
public sealed class CanaryProbe
{
    [Theory]
    [InlineData(16, 2, 1.0, 400, 8, 0.02f)]
    [InlineData(32, 2, 1.0, 400, 8, 0.01f)]
    [InlineData(32, 2, 2.0, 400, 8, 0.01f)]
    [InlineData(32, 2, 0.5, 400, 8, 0.01f)]
    [InlineData(32, 3, 1.0, 400, 4, 0.005f)]
    [InlineData(32, 2, 1.0, 400, 3, 0.01f)]
    [InlineData(64, 2, 1.0, 400, 8, 0.003f)]
    public void P(int width, int layers, double k, int steps, int length, float lr)
    {
        using var engine = new ManagedEngine(1);
        var tokenizer = ByteTokenizer.Create();
        var m = new LanguageModelConfig { Width = width, Layers = layers, Heads = 2, Experts = 4, ExpertWidth = width, MaximumTokens = length + 1, LoadBalancingCoefficient = 0f, Router = Router.ExpertChoice(k) with { AllowsLookahead = true } }.Create(engine, tokenizer, 1);
        var r = new Random(2);
        Example<EncodedText>[] Rows(int n) => [.. Enumerable.Range(0, n).Select(_ => new Example<EncodedText>(new EncodedText(new TokenIds([1, .. Enumerable.Range(0, length).Select(_ => 2 + r.Next(4))]), 0, false), 0f))];
        var c = new GeneratorTrainingConfig { Training = new TrainingConfig { MaxEpochs = 1, BatchSize = 64, LearningRate = lr, LabelSmoothing = 0f, WeightDecay = 0f, Seed = 1 }, Beta2 = 0.98f };
        var w = System.Diagnostics.Stopwatch.StartNew();
        new GeneratorTrainer(c, m).Train(Rows(steps * 64), validation: []);
        File.AppendAllText("/tmp/lm-probe.txt", $"{width} {layers} {k} {steps} {length} {lr}: {m.Measure(Rows(2000)).Loss / Math.Log(2):F4} {w.Elapsed.TotalSeconds:F1}s\n");
    }
}
