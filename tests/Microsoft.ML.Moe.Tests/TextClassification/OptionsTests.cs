using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.TextClassification;

/// <summary>Options and overloads of the catalog.</summary>
public sealed class OptionsTests
{
    private static readonly Dictionary<string, Action<MoeTextClassificationTrainer.Options>> Impossible = new()
    {
        ["MaximumTokens"] = o => o.MaximumTokens = 7,
        ["HashBits"] = o => o.HashBits = 23,
        ["Width"] = o => o.Width = 4,
        ["Layers"] = o => o.Layers = -1,
        ["Heads"] = o => o.Heads = 3, // does not divide the width
        ["MoeEvery"] = o => o.MoeEvery = -1,
        ["Experts"] = o => o.Experts = 0,
        ["Router"] = o => o.Router = Router.TokenChoice(3), // of two experts
        ["ExpertWidth"] = o => o.ExpertWidth = 0,
        ["MaxEpochs"] = o => o.MaxEpochs = 0,
        ["BatchSize"] = o => o.BatchSize = 0,
        ["AccumulationSteps"] = o => o.AccumulationSteps = 17, // of a batch of 16
        ["LearningRate"] = o => o.LearningRate = float.NaN,
        ["Dropout"] = o => o.Dropout = 1,
        ["LabelSmoothing"] = o => o.LabelSmoothing = -0.1f,
        ["ValidationShare"] = o => o.ValidationShare = 0.6f,
        ["Threads"] = o => o.Threads = 0,
        ["Decay"] = o => o.Decay = (LearningRateDecay)99,
        ["ClassWeighting"] = o => o.ClassWeighting = (ClassWeighting)99,
        ["EarlyStoppingPatience"] = o => o.EarlyStoppingPatience = 2, // without validation rows
        ["LabelColumnName"] = o => o.LabelColumnName = "",
        ["Sentence1ColumnName"] = o => o.Sentence1ColumnName = null!,
        ["Sentence2ColumnName"] = o => o.Sentence2ColumnName = "",
        ["ScoreColumnName"] = o => o.ScoreColumnName = o.PredictedLabelColumnName,
        ["PredictedLabelColumnName"] = o => o.PredictedLabelColumnName = "",
        ["WeightColumnName"] = o => o.WeightColumnName = "",
    };

    public static TheoryData<string> ImpossibleOptions => [.. Impossible.Keys];

    [Theory]
    [MemberData(nameof(ImpossibleOptions))]
    public void ImpossibleOptionsAreNamed(string option)
    {
        var error = Assert.ThrowsAny<ArgumentException>(() => Models.Trainer(new MLContext(), Impossible[option]));
        Assert.Contains(option, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheSameColumnTwiceIsRefused()
    {
        var ml = new MLContext();
        Assert.Throws<ArgumentException>(() => Models.Trainer(ml, o => o.Sentence2ColumnName = o.Sentence1ColumnName));
        Assert.Throws<ArgumentException>(() => Models.Trainer(ml, o => o.Sentence1ColumnName = o.LabelColumnName));
        Assert.Throws<ArgumentException>(() => Models.Trainer(ml, o => o.Sentence2ColumnName = o.LabelColumnName));
    }

    /// <summary>A prediction under the label's name would hide the label, and be compared with itself.</summary>
    [Theory]
    [InlineData("PredictedLabelColumnName", "Label")]
    [InlineData("ScoreColumnName", "Label")]
    [InlineData("PredictedLabelColumnName", "Text")]
    [InlineData("ScoreColumnName", "Weight")]
    [InlineData("RouterEntropyColumnName", "Label")]
    [InlineData("UncertainColumnName", "Score")]
    public void AnOutputUnderTheNameOfAnotherColumnIsRefused(string option, string column)
    {
        var error = Assert.Throws<ArgumentException>(() => Models.Trainer(new MLContext(), o =>
        {
            o.WeightColumnName = "Weight";
            o.GetType().GetProperty(option)!.SetValue(o, column);
        }));
        Assert.Contains(option, error.Message, StringComparison.Ordinal);
        Assert.Contains($"'{column}'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void DefaultsAreThoseOfTheConfigurations()
    {
        Assert.Equal(new TextClassifierConfig(), new MoeTextClassificationTrainer.Options().ToConfig());
        Assert.Equal(new ImageClassifierConfig(), new MoeImageClassificationTrainer.Options().ToConfig());
        Assert.Equal(new TextPretrainingConfig(), new MoeTextPretrainer.Options().ToConfig());
    }

    [Fact]
    public void NoOptionsOrCatalogIsRefused()
    {
        Assert.Throws<ArgumentNullException>(
            () => new MLContext().MulticlassClassification.Trainers.MoeTextClassifier((MoeTextClassificationTrainer.Options)null!));
        Assert.Throws<ArgumentNullException>(() => MoeCatalog.MoeTextClassifier(null!, Models.Options()));
    }

    [Fact]
    public void LaterChangesDoNotReachTheTrainer()
    {
        var ml = new MLContext(seed: 1);
        var options = Models.Options();
        var trainer = ml.MulticlassClassification.Trainers.MoeTextClassifier(options);
        options.Sentence1ColumnName = "Nowhere";
        Assert.Null(options.Seed);
        var data = ml.Data.LoadFromEnumerable(Tables.Rows());
        using var model = ml.Transforms.Conversion.MapValueToKey("Label").Append(trainer).Fit(data);
        Assert.Equal(3, model.LastTransformer.ClassCount);
    }

    /// <summary>The parameters of ML.NET's <c>TextClassification</c>, by name and in its order, architecture aside.</summary>
    [Fact]
    public void TheShortOverloadIsADropIn()
    {
        var method = typeof(MoeCatalog).GetMethods().Single(m => m.Name == nameof(MoeCatalog.MoeTextClassifier) && m.GetParameters().Length > 2);
        Assert.Equal(
            [
                "labelColumnName", "scoreColumnName", "outputColumnName", "sentence1ColumnName", "sentence2ColumnName", "batchSize",
                "maxEpochs", "validationSet",
            ],
            method.GetParameters().Skip(1).Select(p => p.Name));
        Assert.Equal(
            ["Label", "Score", "PredictedLabel", "Sentence1", null, new MoeTextClassificationTrainer.Options().BatchSize, null, null],
            method.GetParameters().Skip(1).Select(p => p.DefaultValue));
    }

    [Fact]
    public void TheShortOverloadTrains()
    {
        var ml = new MLContext(seed: 1);
        var data = ml.Data.LoadFromEnumerable(Tables.Rows());
        var pipeline = ml.Transforms.Conversion.MapValueToKey("Topic", "Label").Append(
            ml.MulticlassClassification.Trainers.MoeTextClassifier("Topic", "Odds", "Guess", "Text", "Second", batchSize: 32, maxEpochs: 1));
        using var model = pipeline.Fit(data);
        var schema = model.GetOutputSchema(data.Schema);
        Assert.NotNull(schema.GetColumnOrNull("Odds"));
        Assert.NotNull(schema.GetColumnOrNull("Guess"));
        Assert.Null(schema.GetColumnOrNull("Score"));
    }

    [Fact]
    public void PairsOfTextsAreReadTogether()
    {
        // only both texts together tell the label
        string[] words = ["rain", "bread"];
        var rows = Enumerable.Range(0, 200)
            .Select(i => new Row { Text = words[i % 2], Second = words[i / 2 % 2], Label = i % 2 == i / 2 % 2 ? "same" : "different" });
        var ml = new MLContext(seed: 1);
        var data = ml.Data.LoadFromEnumerable(rows);
        using var model = Models.Pipeline(ml, o => (o.Sentence2ColumnName, o.MaxEpochs) = ("Second", 12)).Fit(data);
        Assert.Equal(1, ml.MulticlassClassification.Evaluate(model.Transform(data)).MicroAccuracy);
    }

    [Fact]
    public void WeightsCount()
    {
        // every text occurs with both labels; the weights decide
        var rows = Enumerable.Range(0, 90).Select(i => new Row
        {
            Text = i / 2 % 2 == 0 ? "rain" : "bread",
            Label = i % 2 == 0 ? "a" : "b",
            Weight = i % 2 == i / 2 % 2 ? 1f : 0f,
        });
        var ml = new MLContext(seed: 1);
        using var model = Models.Pipeline(ml, o => (o.WeightColumnName, o.MaxEpochs) = ("Weight", 10)).Fit(ml.Data.LoadFromEnumerable(rows));
        var scores = Models.Score(ml, model, [new Row { Text = "rain" }, new Row { Text = "bread" }]);
        Assert.Equal([1u, 2u], scores.Select(s => s.PredictedLabel));
        Assert.All(scores, s => Assert.True(s.Score.Max() > 0.8, string.Join(' ', s.Score)));
    }
}
