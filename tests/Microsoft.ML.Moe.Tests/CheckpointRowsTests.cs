using Microsoft.ML.Moe.Tests.Features;
using Microsoft.ML.Moe.Tests.GeneratorTuning;
using Microsoft.ML.Moe.Tests.ImageClassification;

namespace Microsoft.ML.Moe.Tests;

/// <summary>A checkpoint of an interrupted training is not taken up where anything that training reads has changed.</summary>
public sealed class CheckpointRowsTests : IDisposable
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly TemporaryFolder _folder = new();
    private readonly TunedGenerators _generators = new();
    private CancellationTokenSource? _end;

    public void Dispose()
    {
        _folder.Dispose();
        _generators.Dispose();
    }

    [Fact]
    public void Of_models_that_write()
    {
        foreach (var metric in new[] { TextMetric.Loss, TextMetric.RougeL })
        {
            var file = _folder[$"{metric}.ckpt"];
            Interrupt(stop => Train(file, metric, stop));
            Refused("a letter beyond the cut", file, metric, (rows, _) => rows[3].Source = "b" + rows[3].Source);
            Refused("a target beyond the cut", file, metric, (rows, _) => rows[3].Target += "x");
            Refused("a validation prompt", file, metric, (_, rows) => rows[3].Source = "b" + rows[3].Source);
            Refused("another right answer", file, metric, (_, rows) => rows[3].Targets = [rows[3].Targets[0], "yyy"]);
            Refused("the order", file, metric, (rows, _) => (rows[0], rows[1]) = (rows[1], rows[0]));
            Train(file, metric, default);
        }

        void Refused(string what, string file, TextMetric metric, Action<List<TunedGenerators.LetterRow>, List<TunedGenerators.LetterRow>> change) =>
            AssertRefused(what, () => Train(file, metric, default, change));
    }

    [Fact]
    public void Of_pretraining()
    {
        var file = _folder["pretraining.ckpt"];
        Interrupt(stop => Train(stop));
        AssertRefused("a word", () => Train(default, rows => rows[^1].Text += " more"));
        AssertRefused("a row", () => Train(default, rows => rows.RemoveAt(4)));
        Train(default);

        void Train(CancellationToken stop, Action<List<Row>>? change = null)
        {
            var rows = Tables.Rows();
            change?.Invoke(rows);
            var options = new MoeTextPretrainer.Options
            {
                Width = 16, Heads = 2, Layers = 1, Experts = 2, ExpertWidth = 16, HashBits = 8, MaxEpochs = 4, BatchSize = 16, CheckpointFile = file,
            };
            Stopping(options, stop);
            _ml.Transforms.Text.PretrainMoeEncoder(options).Fit(_ml.Data.LoadFromEnumerable(rows)).Dispose();
        }
    }

    [Fact]
    public void Of_features_and_images()
    {
        var (ofFeatures, ofImages) = (_folder["features.ckpt"], _folder["images.ckpt"]);
        Interrupt(stop => Features(stop));
        AssertRefused("a number", () => Features(default, row => row.Noise += 0.001f));
        AssertRefused("a label", () => Features(default, row => row.Price += 0.001f));
        AssertRefused("a weight", () => Features(default, row => row.Weight = 1.25f));
        Features(default);

        Interrupt(stop => Images(stop));
        AssertRefused("a pixel", () => Images(default, row => row.Features = [.. row.Features.Select((pixel, i) => i == 7 ? pixel + 1 : pixel)]));
        AssertRefused("a label", () => Images(default, row => row.Label = row.Label == "none" ? "lying" : "none"));
        Images(default);

        void Features(CancellationToken stop, Action<FeatureRecord>? change = null)
        {
            var rows = FeatureTables.Rows(60);
            change?.Invoke(rows[7]);
            FeatureTables.Regression(_ml, o =>
            {
                (o.CheckpointFile, o.ExampleWeightColumnName, o.MaxEpochs) = (ofFeatures, "Weight", 4);
                Stopping(o, stop);
            }).Fit(_ml.Data.LoadFromEnumerable(rows)).Dispose();
        }

        void Images(CancellationToken stop, Action<ImageRow>? change = null)
        {
            var rows = ImageTables.Rows(60);
            change?.Invoke(rows[7]);
            ImageModels.Pipeline(_ml, o =>
            {
                o.CheckpointFile = ofImages;
                Stopping(o, stop);
            }).Fit(_ml.Data.LoadFromEnumerable(rows)).Dispose();
        }
    }

    private void Train(
        string file,
        TextMetric metric,
        CancellationToken stop,
        Action<List<TunedGenerators.LetterRow>, List<TunedGenerators.LetterRow>>? change = null)
    {
        var (rows, validation) = (TunedGenerators.LetterRows(24), TunedGenerators.LetterRows(8, seed: 2));
        foreach (var row in rows.Concat(validation))
            row.Source = $"abcdabcdabcdabcdabcd{row.Source}";
        change?.Invoke(rows, validation);
        var options = new MoeTextToTextTrainer.Options
        {
            Model = _generators.Switch,
            SourceColumnName = "Source",
            TargetColumnName = "Targets",
            MaximumSourceTokens = 8,
            MaximumTargetTokens = 2,
            MaxEpochs = 4,
            BatchSize = 8,
            Metric = metric,
            CheckpointFile = file,
            ValidationSet = _ml.Data.LoadFromEnumerable(validation),
        };
        foreach (var row in rows)
            row.Targets = [row.Target];
        Stopping(options, stop);
        _ml.Transforms.Text.MoeTextToText(options).Fit(_ml.Data.LoadFromEnumerable(rows)).Dispose();
    }

    /// <summary>Ends a training after its first epoch, whose state stays.</summary>
    private void Interrupt(Action<CancellationToken> train)
    {
        using var source = new CancellationTokenSource();
        _end = source;
        train(source.Token);
        _end = null;
    }

    private void Stopping(MoeTrainerOptions options, CancellationToken stop)
    {
        options.StopToken = stop;
        options.EpochCompleted = _ => _end?.Cancel();
    }

    private static void AssertRefused(string what, Action train)
    {
        var error = Record.Exception(train);
        Assert.True(error is InvalidDataException, $"{what}: {error?.GetType().Name ?? "was taken up"} {error?.Message}");
        Assert.Contains("other options or rows", error!.Message, StringComparison.Ordinal);
    }
}
