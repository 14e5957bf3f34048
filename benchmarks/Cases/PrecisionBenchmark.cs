using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>
/// Weights in bfloat16 against weights in single precision: a MoE layer whose weights are far larger than the caches, from one token to
/// many, and one prediction of the default text model, whose weights are not.
/// </summary>
internal sealed class PrecisionBenchmark : IBenchmark
{
    private const int Choices = 8;
    private static readonly MoeShape Shape = new(Tokens: 1, Width: 1024, HiddenWidth: 512, Experts: 64, ExpertsPerToken: 8);

    public string Id => "precision";

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads)
    {
        using var engine = new ManagedEngine(threads);
        var store = Values.Store(engine);
        var full = Layer(store);
        var rounded = Layer(new ParameterStore(store, InferencePrecision.BFloat16));
        foreach (var tokens in new[] { 1, 4, 16, 64, 256, 2048 })
        {
            var shape = Shape with { Tokens = tokens };
            var result = runner.Compare(Forward(engine, rounded, shape), Forward(engine, full, shape));
            yield return FigureOf($"MoE {shape}, bfloat16 / single precision", threads, result);
        }

        yield return FigureOf("one row of the default text model, bfloat16 / single precision", threads, Prediction(runner, engine, threads));
    }

    private Figure FigureOf(string title, int threads, PairedResult result) =>
        new(Id, title, threads, result.Ratio, result.Spread, null) { Seconds = result.First, ReferenceSeconds = result.Second };

    private static MoeLayer Layer(ParameterStore store) => new(
        store, "moe", 0, Shape.Width, Shape.HiddenWidth, new MoeSettings(Shape.Experts, new TokenChoice(Shape.ExpertsPerToken, true), 0f, 0f), 1f);

    // One input after the other, so that a pass does not find in the cache what the last one has read.
    private static Action Forward(ManagedEngine engine, MoeLayer layer, MoeShape shape)
    {
        var inputs = Enumerable.Range(0, Choices)
            .Select(seed => engine.CreateParameter("input", [shape.Tokens, shape.Width], Values.Random(shape.Tokens * shape.Width, 1f, seed)))
            .ToArray();
        var layout = shape.OneSequence;
        var next = 0;
        return () =>
        {
            using var tape = engine.BeginTape(training: false);
            layer.Forward(new ForwardContext(tape, layout), inputs[next++ % Choices]);
        };
    }

    private static PairedResult Prediction(PairedRunner runner, ManagedEngine engine, int threads)
    {
        var pipeline = new TextPipeline(threads);
        var table = pipeline.View(TextRow.Table(512));
        var classifier = TextPipeline.Classifier(pipeline.Save(pipeline.Fit(table, epochs: 1), table), engine);
        var rounded = classifier.WithPrecision(InferencePrecision.BFloat16);
        return runner.Compare(Score(rounded), Score(classifier));
    }

    private static Action Score(Model<EncodedText> classifier)
    {
        var row = new[] { ((TextInput)classifier.Input).Encode(PredictionBenchmark.Text) };
        var probabilities = new float[classifier.Outputs];
        return () => classifier.Score(row, probabilities);
    }
}
