using System.Text.Json;
using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Benchmarks.References;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>
/// P2: a fine-tuning step of a published encoder, its three topmost layers and a layer over 77 classes, 48 rows of 16 tokens, against the same
/// in PyTorch. Both run the layers below in each step, without gradients.
/// </summary>
internal sealed class FineTuningBenchmark : IBenchmark
{
    private const int Rows = 48;
    private const int Length = 16;
    private const int Classes = 77;
    private const int TrainedLayers = 3;

    public string Id => "P2";

    public string? Reference => PyTorch.Instance?.Version;

    public string? MissingReference => PyTorch.Instance is null ? "PyTorch (python3-torch) is not installed." : null;

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads)
    {
        using var engine = new ManagedEngine(threads);
        var source = PublishedEncoderSource.Open(PublishedEncoder.MiniLM);
        var input = source.CreateInput(maximumTokens: null, LinearInput.None);
        var head = new PooledClassesHeadConfig { Classes = Classes, Layers = TrainedLayers, Dropout = 0f };
        var model = source.CreateModel(engine, input, head, seed: 0);
        var layer = RandomLayer(((FeatureHead)model.Head).Width);
        ((FeatureHead)model.Head).Layer = layer;
        var ids = PublishedEncoderBenchmark.Ids(Rows, Length);
        Example<EncodedText>[] examples =
            [.. ids.Select((row, i) => new Example<EncodedText>(new EncodedText(new TokenIds(row), 0, isEmpty: false), i % Classes))];
        var training = new TrainingConfig();
        int[] numbers = [.. Enumerable.Range(0, Rows)];
        var first = source.Encoder.Layers - TrainedLayers;
        var objective = new ClassObjective<EncodedText>(
            model, new TuningRows<EncodedText>(examples, [.. examples.Select(_ => 1f)], Kept: null), numbers, validation: [], first, training);
        var plan = FineTuningPlan.For(FineTuning.TopLayers(TrainedLayers), Rows, Classes, source.Encoder.Layers, isPair: false, isLong: false)!;
        using var optimizer = FineTuningOptimizer.Create(engine, model.Parameters, source.Encoder.Layers, plan, freezeRouter: false);
        var random = new Random(1);
        var folder = Directory.CreateTempSubdirectory("moe-benchmarks-");
        var batch = Path.Combine(folder.FullName, "Batch.json");
        File.WriteAllText(batch, JsonSerializer.Serialize(new
        {
            weights = Path.Combine(PublishedEncoder.MiniLM.ResolveFolder(), "model.safetensors"),
            ids,
            targets = examples.Select(row => (int)row.Target),
            layers = source.Encoder.Layers,
            trained = TrainedLayers,
            heads = source.Encoder.Heads,
            classes = Classes,
            head = layer.Weights,
            labelSmoothing = training.LabelSmoothing,
            learningRate = plan.LearningRate,
            headLearningRate = plan.HeadLearningRate,
            layerDecay = plan.LayerDecay,
            weightDecay = plan.WeightDecay,
            maxGradientNorm = training.MaxGradientNorm,
            firstLoss = FirstLoss(),
        }));
        try
        {
            var result = runner.Compare(
                PairedRunner.Timed(() => Step()), repeats => PyTorch.Instance!.Run("encoder/" + batch, threads, repeats));
            yield return new Figure(
                Id,
                $"fine-tuning step of a published encoder, top {TrainedLayers} of 6 layers, {Rows} rows of {Length} tokens / {PyTorch.Instance!.Version}",
                threads,
                result.Ratio,
                result.Spread,
                new Bound(0.7))
            {
                Seconds = result.First,
                ReferenceSeconds = result.Second,
                // forward through all layers, twice as much backward through those that are trained
                Work = new Work(2.0 * Rows * Length * PublishedEncoderBenchmark.FlopsOfToken, 0),
            };
        }
        finally
        {
            folder.Delete(recursive: true);
        }

        static Probe RandomLayer(int width)
        {
            var numbers = new Random(2);
            return new Probe(
                width, [.. Enumerable.Range(0, width * Classes).Select(_ => (float)(0.1 * (numbers.NextDouble() - 0.5)))], new float[Classes]);
        }

        float FirstLoss()
        {
            objective.Prepare(numbers, random);
            var loss = objective.Accumulate(1f).Read();
            optimizer.ClearGradients();
            return loss;
        }

        float Step()
        {
            objective.Prepare(numbers, random);
            var loss = objective.Accumulate(1f);
            optimizer.ClipGradients(training.MaxGradientNorm);
            optimizer.Step(1f);
            return loss.Read();
        }
    }
}
