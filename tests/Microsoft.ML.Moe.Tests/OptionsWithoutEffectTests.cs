using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Tests.Features;
using Microsoft.ML.Moe.Tests.GeneratorTuning;
using Microsoft.ML.Moe.Tests.ImageClassification;

namespace Microsoft.ML.Moe.Tests;

/// <summary>An option that is set and does nothing is told of, once, before training; one that cannot be met is refused.</summary>
public sealed class OptionsWithoutEffectTests
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly List<string> _warnings = [];

    public OptionsWithoutEffectTests() => _ml.Log += (_, e) =>
    {
        if (e.Kind == Microsoft.ML.Runtime.ChannelMessageKind.Warning && e.RawMessage.Contains("has no effect", StringComparison.Ordinal))
            _warnings.Add(e.RawMessage[..e.RawMessage.IndexOf(' ', StringComparison.Ordinal)]);
    };

    [Fact]
    public void What_is_left_at_its_default_is_not_told_of()
    {
        Models.Fit(_ml, o => o.MaxEpochs = 1).Dispose();
        FeatureTables.Regression(_ml, o => o.MaxEpochs = 1).Fit(_ml.Data.LoadFromEnumerable(FeatureTables.Rows(60))).Dispose();
        ImageModels.Fit(_ml, o => o.MaxEpochs = 1).Dispose();
        Assert.Empty(_warnings);
    }

    [Fact]
    public void Of_text_classifiers()
    {
        using var encoder = Models.Fit(_ml, o => o.MaxEpochs = 1);
        Models.Fit(_ml, o =>
        {
            (o.MaxEpochs, o.Lowercase, o.Experts) = (1, false, 3);
            o.InitialModel = PretrainedModel.From(encoder);
            o.UncertainThreshold = 0.5;
            o.KeptStates = new global::Microsoft.ML.Moe.Training.EncoderStateCache();
            o.FineTuning = global::Microsoft.ML.Moe.Training.FineTuning.None;
            o.EvaluationCompleted = _ => { };
        }).Dispose();
        AssertTold("Experts", "Width", "Lowercase", "UncertainThreshold", "KeptStates", "FineTuning", "EvaluationCompleted");
    }

    [Fact]
    public void Of_a_validation_share_beside_a_validation_set_and_of_experts_that_are_not_there()
    {
        var set = _ml.Data.LoadFromEnumerable(Tables.Rows(30, seed: 3));
        Models.Fit(_ml, o => (o.MaxEpochs, o.ValidationShare, o.ValidationSet, o.MoeEvery) = (1, 0.2f, set, 0)).Dispose();
        AssertTold("ValidationShare", "Experts");
    }

    [Fact]
    public void Of_features()
    {
        FeatureTables.Regression(_ml, o => (o.MaxEpochs, o.Heads, o.Members, o.SpreadColumnName) = (1, 4, 1, "Spread"))
            .Fit(_ml.Data.LoadFromEnumerable(FeatureTables.Rows(60))).Dispose();
        AssertTold("Heads", "SpreadColumnName");
    }

    [Fact]
    public void Of_images()
    {
        using var earlier = ImageModels.Fit(_ml, o => o.MaxEpochs = 1);
        ImageModels.Fit(_ml, o =>
        {
            (o.MaxEpochs, o.Convolutions, o.ImageWidth) = (1, 0, 6);
            o.InitialModel = PretrainedModel.From(earlier);
        }).Dispose();
        AssertTold("Convolutions", "ImageWidth");
    }

    [Fact]
    public void Of_patches_where_there_are_none()
    {
        ImageModels.Fit(_ml, o => (o.MaxEpochs, o.Stem, o.PatchSize, o.PatchMargin) = (1, ImageStem.Convolutional, null, 0.3f)).Dispose();
        AssertTold("PatchMargin");
    }

    [Fact]
    public void Of_models_that_write()
    {
        using var generators = new TunedGenerators();
        var options = new MoeTextToTextTrainer.Options
        {
            Model = generators.Switch,
            SourceColumnName = "Source",
            TargetColumnName = "Target",
            MaxEpochs = 1,
            MergesAdapters = false,
            FreezeRouter = true,
            RouterLearningRate = 1e-3f,
            MetricRows = 3,
        };
        _ml.Transforms.Text.MoeTextToText(options).Fit(_ml.Data.LoadFromEnumerable(TunedGenerators.LetterRows(12))).Dispose();
        AssertTold("MergesAdapters", "RouterLearningRate", "MetricRows");

        options.EvaluationSteps = 3;
        var error = Assert.Throws<ArgumentException>(() => _ml.Transforms.Text.MoeTextToText(options));
        Assert.StartsWith("EvaluationSteps needs validation rows", error.Message, StringComparison.Ordinal);
    }

    private void AssertTold(params string[] options)
    {
        Assert.Empty(options.Except(_warnings));
        Assert.Equal(_warnings.Count, _warnings.Distinct().Count());
    }
}
