using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>
/// C7: what reading a table, encoding its texts and ML.NET cost on top of the model's own work. Fit, with nine epochs as the default is
/// for a table of CLINC150's size, against <see cref="BareTraining"/>; both make a new model each time. Transform, predicted label and
/// score of every row read, against forward passes on batches that lie ready packed. Both as users have it, with a linear branch, which the loops that they
/// are compared with lack, and without it, where both sides do the same.
/// </summary>
internal sealed class TextTableBenchmark : IBenchmark
{
    private const int TrainingRows = 512;
    private const int Epochs = 9;
    private const int ScoredRows = 4096;
    private const int RowsAtOnce = 256;

    public string Id => "C7";

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads)
    {
        var rows = TextRow.Table(ScoredRows);
        var bare = new BareTraining(rows[..TrainingRows], threads);
        foreach (var linearBranch in new[] { true, false })
        {
            var pipeline = new TextPipeline(threads, linearBranch);
            var training = pipeline.View(rows[..TrainingRows]);
            var fit = runner.Compare(() => (pipeline.Fit(training, Epochs) as IDisposable)?.Dispose(), () => bare.Run(Epochs), inverted: true);
            yield return Describe("Fit", linearBranch, "bare loop on ready tensors", fit, new Bound(0.95, IsLower: true));

            var model = pipeline.Fit(training, epochs: 1);
            using var engine = new ManagedEngine(threads);
            var classifier = TextPipeline.Classifier(pipeline.Save(model, training), engine);
            var table = pipeline.View(rows);
            var transform = runner.Compare(() => TextPipeline.Read(model.Transform(table)), Forward(engine, classifier, rows), inverted: true);
            yield return Describe("Transform", linearBranch, "bare forward", transform, new Bound(0.90, IsLower: true));
        }

        Figure Describe(string what, bool linearBranch, string reference, PairedResult result, Bound bound) => new(
            Id, $"{what}{(linearBranch ? "" : " without a linear branch")} / {reference}, throughput", threads, result.Ratio, result.Spread, bound)
        {
            Seconds = result.First,
            ReferenceSeconds = result.Second,
        };
    }

    private static Action Forward(Engine engine, Model<EncodedText> classifier, TextRow[] rows)
    {
        var probabilities = new float[RowsAtOnce * classifier.Outputs];
        var encoded = rows.Select(row => ((TextInput)classifier.Input).Encode(row.Text));
        var batches = encoded.Chunk(RowsAtOnce).Select(batch => classifier.Input.CreatePacker(classifier.Packing()).Pack(batch)).ToArray();
        return () =>
        {
            foreach (var batch in batches)
            {
                using var tape = engine.BeginTape(training: false);
                classifier.Head.Write(tape, classifier.Forward(tape, batch), probabilities);
            }
        };
    }
}
