using Microsoft.ML.Moe.Tests.Features;
using Microsoft.ML.Moe.Tests.GeneratorTuning;
using Microsoft.ML.Moe.Tests.ImageClassification;

namespace Microsoft.ML.Moe.Tests;

/// <summary>Errors name the table that they are about, the option to change, and what to do.</summary>
public sealed class MessageTests
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly List<string> _log = [];

    public MessageTests() => _ml.Log += (_, e) => _log.Add($"{e.Kind}: {e.RawMessage}");

    [Fact]
    public void A_validation_set_that_was_not_transformed()
    {
        var raw = _ml.Data.LoadFromEnumerable(Tables.Rows(30, seed: 2));
        var pipeline = _ml.Transforms.Conversion.MapValueToKey("Label")
            .Append(_ml.Transforms.Text.NormalizeText("Clean", "Text"))
            .Append(Models.Trainer(_ml, o => (o.Sentence1ColumnName, o.ValidationSet) = ("Clean", raw)));
        AssertSays<ArgumentOutOfRangeException>(
            () => pipeline.Fit(_ml.Data.LoadFromEnumerable(Tables.Rows())),
            "The validation set has no text column 'Clean'",
            "Transform it with the same steps as the training set");
    }

    [Fact]
    public void The_table_is_named_whatever_is_missing()
    {
        var lacking = _ml.Data.LoadFromEnumerable([new { Other = 1f }]);
        var texts = _ml.Data.LoadFromEnumerable(Tables.Rows());
        AssertSays<ArgumentOutOfRangeException>(() => Models.Fit(_ml, o => o.ValidationSet = lacking), "The validation set has no label column 'Label'");
        AssertSays<ArgumentOutOfRangeException>(
            () => Models.Fit(_ml, o => (o.ValidationSet, o.WeightColumnName) = (lacking, "Weight")), "validation set");
        AssertSays<ArgumentOutOfRangeException>(
            () => ImageModels.Fit(_ml, o => o.ValidationSet = texts), "The validation set has no image column 'Features'");
        AssertSays<ArgumentOutOfRangeException>(
            () => FeatureTables.Regression(_ml, o => o.ValidationSet = texts).Fit(_ml.Data.LoadFromEnumerable(FeatureTables.Rows(60))),
            "The validation set has no label column 'Price'");
        using var model = Models.Fit(_ml, o => o.MaxEpochs = 1);
        AssertSays<ArgumentOutOfRangeException>(() => model.Transform(lacking), "column", "Label");
        AssertSays<ArgumentOutOfRangeException>(
            () => model.LastTransformer.Transform(lacking), "The table to score has no text column 'Text'; its columns are: Other.", "same steps");
        AssertSays<ArgumentOutOfRangeException>(
            () => model.LastTransformer.CompareRouting(lacking, [model.LastTransformer.Router]), "The data to compare on has no text column 'Text'");
        using var generators = new TunedGenerators();
        AssertSays<ArgumentOutOfRangeException>(
            () => _ml.Transforms.Text.MoeTextToText(new MoeTextToTextTrainer.Options
            {
                Model = generators.Switch, SourceColumnName = "Source", TargetColumnName = "Target", ValidationSet = texts,
            }).Fit(_ml.Data.LoadFromEnumerable(TunedGenerators.LetterRows(12))),
            "The validation set has no text column 'Source'");
    }

    [Fact]
    public void The_option_that_names_a_column_is_told()
    {
        var texts = _ml.Data.LoadFromEnumerable(Tables.Rows());
        AssertSays<ArgumentOutOfRangeException>(
            () => _ml.Transforms.Conversion.MapValueToKey("Label").Append(_ml.MulticlassClassification.Trainers.MoeTextClassifier()).Fit(texts),
            "The training set has no text column 'Sentence1'",
            "Name the right one in Sentence1ColumnName");
        AssertSays<ArgumentOutOfRangeException>(
            () => _ml.MulticlassClassification.Trainers.MoeTextClassifier("Nowhere", "Text").Fit(texts), "'Nowhere'", "in LabelColumnName");
        AssertSays<ArgumentOutOfRangeException>(
            () => _ml.Regression.Trainers.MoeRegressor("Weight").Fit(texts), "The training set has no feature column 'Features'", "in FeatureColumnName");
        AssertSays<ArgumentOutOfRangeException>(
            () => _ml.Transforms.Text.PretrainMoeEncoder("Vector2", "Nowhere").Fit(texts), "'Nowhere'", "in InputColumnName");
        AssertSays<ArgumentOutOfRangeException>(
            () => _ml.Transforms.Text.EmbedText("Vector2", "Nowhere", PublishedEncoder.FromFolder("anywhere")).Fit(texts), "'Nowhere'", "in inputColumnName");
        using var generators = new TunedGenerators();
        AssertSays<ArgumentOutOfRangeException>(
            () => _ml.Transforms.Text.MoeTextToText(new MoeTextToTextTrainer.Options { Model = generators.Switch, Prompt = "read {Nowhere}" }).Fit(texts),
            "'Nowhere'",
            "in Prompt");
    }

    [Fact]
    public void A_weight_of_another_type_is_told_how_to_convert()
    {
        var doubles = _ml.Data.LoadFromEnumerable(Tables.Rows().Select(row => new { row.Text, row.Label, Weight = 1.0 }));
        AssertSays<ArgumentOutOfRangeException>(
            () => Models.Pipeline(_ml, o => o.WeightColumnName = "Weight").Fit(doubles),
            "The weight column 'Weight' is of type Double in the training set, but must be Single",
            "ConvertType");
    }

    [Fact]
    public void Validation_labels_that_are_missing_are_called_so()
    {
        var rows = Tables.Rows(60, seed: 2);
        for (var i = 0; i < 30; i++)
            rows[i].Label = i % 2 == 0 ? "" : null;
        Models.Fit(_ml, o => (o.MaxEpochs, o.ValidationSet) = (1, _ml.Data.LoadFromEnumerable(rows))).Dispose();
        Assert.Contains("Warning: 30 validation rows are left out: their label in column 'Label' is missing.", _log);
        Assert.DoesNotContain(_log, line => line.Contains("not in the training set", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("EmbeddingLearningRate")]
    [InlineData("LearningRate")]
    public void Of_a_training_that_diverges_the_option_is_named_that_is_large(string option)
    {
        var error = Assert.Throws<InvalidOperationException>(() => Models.Fit(_ml, o =>
        {
            (o.WarmupShare, o.LinearBranch, o.MaxGradientNorm) = (0f, false, 1e30f);
            if (option == "EmbeddingLearningRate")
                o.EmbeddingLearningRate = 3e38f;
            else
                o.LearningRate = 3e38f;
        }));
        Assert.Contains($" {option} = 3E+38 is large", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_model_that_is_too_large_names_its_options_before_anything_is_allocated()
    {
        AssertSays<ArgumentException>(
            () => Models.Trainer(_ml, o => (o.ExpertWidth, o.Width, o.Experts) = (65536, 4096, 64)),
            "Experts = 64, Width = 4096, ExpertWidth = 65536, Layers = 1",
            "17,179,869,184 numbers",
            "512 GiB while training");
        var before = GC.GetTotalAllocatedBytes();
        AssertSays<ArgumentException>(() => Models.Fit(_ml, o => (o.Width, o.HashBits, o.LinearBranch) = (4096, 22, false)), "HashBits = 22, Width = 4096");
        AssertSays<ArgumentException>(
            () => FeatureTables.Regression(_ml, o => (o.ExpertWidth, o.Width, o.Experts) = (65536, 4096, 64)), "ExpertWidth = 65536");
        AssertSays<ArgumentException>(
            () => new MoeTextPretrainer.Options { ExpertWidth = 65536, Width = 4096, Experts = 64 }.Validate(), "ExpertWidth = 65536");
        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, 1L << 30);
        AssertSays<InvalidOperationException>(
            () => Models.Fit(_ml, o => (o.ExpertWidth, o.Width, o.Experts, o.Layers) = (32768, 4096, 15, 48)), "GiB while training, and there are", "Layers = 48");
    }

    [Fact]
    public void A_transformer_that_its_prediction_engine_disposed_says_what_to_set()
    {
        var model = Models.Fit(_ml, o => o.MaxEpochs = 1);
        using (_ml.Model.CreatePredictionEngine<Row, Prediction>(model))
        {
        }

        AssertSays<ObjectDisposedException>(() => model.Transform(_ml.Data.LoadFromEnumerable(Tables.Rows(3))), "PredictionEngine", "OwnsTransformer = false");
    }

    private static void AssertSays<T>(Action action, params string[] parts)
        where T : Exception
    {
        var error = Assert.ThrowsAny<T>(action);
        Assert.All(parts, part => Assert.Contains(part, error.Message, StringComparison.Ordinal));
    }
}
