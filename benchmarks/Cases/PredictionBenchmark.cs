using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Benchmarks.References;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>
/// C8: one call of a PredictionEngine, from text to label and score, against PyTorch's forward pass of the same model on the same row,
/// which gets it as tensors and runs on one thread: on two, waking the second costs it more than a row's work. A loaded model uses all
/// CPUs; on fewer threads the model is measured as it comes from training.
/// </summary>
internal sealed class PredictionBenchmark : IBenchmark
{
    private const int TrainingRows = 512;

    // Nine words, as many as a row of the table has in the mean.
    public const string Text = "please tell me how much money i have left";

    public string Id => "C8";

    public string? Reference => PyTorch.Instance?.Version;

    public string? MissingReference => PyTorch.Instance is null ? "PyTorch (python3-torch) is not installed." : null;

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads)
    {
        var pipeline = new TextPipeline(threads);
        var table = pipeline.View(TextRow.Table(TrainingRows));
        var trained = pipeline.Fit(table, epochs: 1);
        var zip = pipeline.Save(trained, table);
        var isLoaded = threads == Environment.ProcessorCount;
        using var engine = pipeline.Engine(isLoaded ? pipeline.Load(zip) : trained);
        var row = new TextRow { Text = Text };

        using var files = Write(zip);
        var result = runner.Compare(
            PairedRunner.Timed(() => engine.Predict(row)), repeats => PyTorch.Instance!.Run(files.Scoring, threads: 1, repeats));
        yield return new Figure(
            Id,
            $"one prediction of the default text model, {(isLoaded ? "loaded" : "as trained")} / {PyTorch.Instance!.Version}, one thread",
            threads,
            result.Ratio,
            result.Spread,
            new Bound(0.33))
        {
            Seconds = result.First,
            ReferenceSeconds = result.Second,
        };
    }

    /// <summary>The network for PyTorch, which has no linear branch: the call has that to do besides.</summary>
    private static TextModelFiles Write(byte[] zip)
    {
        using var engine = new ManagedEngine(threads: 1);
        var classifier = TextPipeline.Classifier(zip, engine);
        EncodedText[] rows = [((TextInput)classifier.Input).Encode(Text)];
        var network = new Model<EncodedText>(engine, classifier.Config, classifier.Input, new ParameterStore(classifier.Parameters));
        var probabilities = new float[network.Outputs];
        network.Score(rows, probabilities);
        return new TextModelFiles(classifier, rows, probabilities);
    }
}
