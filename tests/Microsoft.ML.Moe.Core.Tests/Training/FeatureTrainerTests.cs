using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>Training of models of features.</summary>
public sealed class FeatureTrainerTests
{
    [Fact]
    public void The_recipe_follows_the_number_of_rows_and_leaves_what_was_set()
    {
        var config = new FeatureModelConfig();
        var (small, middle, large) = (Classes(config, 1000), Classes(config, 1001), Classes(config, 50_000));
        Assert.Equal((32, 4e-3f, 0.3f, 30, 0f, 16, false), Of(small));
        Assert.Equal((128, 6e-3f, 0.1f, 20, 0.5f, 48, true), Of(middle));
        Assert.Equal((256, 6e-3f, 0.1f, 10, 0.5f, 48, true), Of(large));
        Assert.Equal(Of(small), Of(Classes(config with { Recipe = FeatureRecipe.Small }, 50_000)));
        Assert.Equal(Of(middle), Of(Classes(config with { Recipe = FeatureRecipe.Large }, 500)));
        Assert.Equal([20, 15, 10, 10], new[] { 15_000, 20_000, 30_000, 1_000_000 }.Select(rows => Classes(config, rows).Training.MaxEpochs));
        Assert.Equal(
            [30, 40, 40, 20, 10], new[] { 1000, 1001, 30_000, 60_000, 1_000_000 }.Select(rows => config.For(rows, isNumber: true).Training.MaxEpochs));
        Assert.Equal([0.15f, 0.1f], new[] { 1000, 1001 }.Select(config.ValidationShareOf));
        Assert.Equal([5, 5, 4, 4, 1], new[] { 20, 1000, 1001, 10_000, 10_001 }.Select(config.NetworksFor));
        Assert.Equal(2, (config with { Networks = 2 }).NetworksFor(100));
        Assert.Equal(0.3f, (config with { Training = config.Training with { ValidationShare = 0.3f } }).ValidationShareOf(100));
        var own = config with
        {
            Bins = 7,
            Encoder = config.Encoder with { Dropout = 0.25f },
            Training = config.Training with { BatchSize = 50, LearningRate = 1e-3f, MaxEpochs = 3 },
        };
        Assert.Equal((50, 1e-3f, 0.25f, 3, 0f, 7, false), Of(Classes(own, 100)));

        static FeatureTraining Classes(FeatureModelConfig config, int rows) => config.For(rows, isNumber: false);

        static (int, float, float, int?, float, int, bool) Of(FeatureTraining settings) => (
            settings.Training.BatchSize, settings.Training.LearningRate, settings.Encoder.Dropout, settings.Training.MaxEpochs,
            settings.Training.DropoutDecayShare, settings.Measurement.Bins, settings.FitsTemperature);
    }

    [Fact]
    public void A_classifier_of_many_rows_gets_a_temperature_and_is_the_same_after_a_reload()
    {
        using var engine = new ManagedEngine(1);
        var rows = Rows(400, row => row[0] > 0 ? row[1] > 0 ? 2 : 1 : 0);
        var model = new FeatureTrainer(Tiny() with { Recipe = FeatureRecipe.Large }, 3, FeatureTask.Classes(3), engine).Train(rows);
        Assert.NotEqual(1f, ((MemberClassesHeadConfig)model.Config.Head).Temperature);
        var scores = Score(model, rows);
        Assert.True(rows.Index().Average(row => Right(scores, row.Index, row.Item.Target)) > 0.9);
        using var config = new MemoryStream();
        using var weights = new MemoryStream();
        model.Save(config, weights);
        (config.Position, weights.Position) = (0, 0);
        using var other = new ManagedEngine(1);
        Assert.Equal(scores, Score(ModelFiles.LoadFeatures(config, weights, other), rows));

        static double Right(float[] scores, int row, float target) =>
            Measurement.IndexOfMaximum(scores.AsSpan(row * 3, 3)) == (int)target ? 1 : 0;
    }

    [Fact]
    public void A_regression_gives_the_targets_units_and_the_members_spread()
    {
        using var engine = new ManagedEngine(1);
        var rows = Rows(300, row => 1000 + 200 * row[0]);
        var model = new FeatureTrainer(Tiny(), 3, FeatureTask.Value, engine).Train(rows);
        var scores = Score(model, rows);
        Assert.True(rows.Index().Average(row => Math.Abs(scores[2 * row.Index] - row.Item.Target)) < 60);
        Assert.All(Enumerable.Range(0, rows.Length), row => Assert.InRange(scores[2 * row + 1], 1e-3f, 500f));
    }

    [Fact]
    public void Dropout_falls_over_the_share_of_steps_that_is_asked_for()
    {
        using var engine = new ManagedEngine(1);
        using var tape = engine.BeginTape(training: true, seed: 1);
        var ones = tape.Constant([.. Enumerable.Repeat(1f, 1000)], 10, 100);
        tape.DropoutFactor = 0f;
        Assert.DoesNotContain(0f, tape.Dropout(ones, 0.5f).ToArray());
        tape.DropoutFactor = 0.5f;
        Assert.InRange(tape.Dropout(ones, 0.5f).ToArray().Count(x => x == 0f), 180, 320);
        Assert.InRange(tape.AddDropped(ones, ones, 0.5f).ToArray().Count(x => x == 1f), 180, 320);
    }

    [Fact]
    public void Class_weights_lift_the_rare_class()
    {
        using var engine = new ManagedEngine(1);
        var random = new Random(4);
        var rows = Rows(400, _ => random.Next(10) == 0 ? 1 : 0);
        var config = Tiny();
        var plain = Mean(config);
        var balanced = Mean(config with { Training = config.Training with { ClassWeighting = ClassWeighting.Balanced } });
        Assert.True(plain < -1 && balanced > plain + 1, $"{plain} {balanced}");

        double Mean(FeatureModelConfig settings) =>
            Score(new FeatureTrainer(settings, 3, FeatureTask.Binary, engine).Train(rows), rows).Average();
    }

    [Fact]
    public void Impossible_rows_targets_and_models_are_refused()
    {
        using var engine = new ManagedEngine(1);
        var row = FeatureRow.Dense([1f, 2f, 3f]);
        AssertRefused(FeatureTask.Binary, new Example<FeatureRow>(row, 2));
        AssertRefused(FeatureTask.Classes(3), new Example<FeatureRow>(row, 3));
        AssertRefused(FeatureTask.Value, new Example<FeatureRow>(row, float.NaN));
        AssertRefused(FeatureTask.Value, new Example<FeatureRow>(FeatureRow.Dense([1f]), 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => FeatureTask.Classes(1));
        Assert.Throws<ArgumentException>(() => new FeatureTrainer(Tiny() with { SlotNames = ["a"] }, 3, FeatureTask.Value, engine));
        var model = new FeatureTrainer(Tiny(), 3, FeatureTask.Binary, engine).Train(Rows(60, r => r[0] > 0 ? 1 : 0));
        Assert.Throws<ArgumentException>(() => new FeatureTrainer(Tiny(), 4, FeatureTask.Binary, engine, WarmStart.From(model)));

        void AssertRefused(FeatureTask task, Example<FeatureRow> example) =>
            Assert.Throws<ArgumentException>(() => new FeatureTrainer(Tiny(), 3, task, engine).Train([example]));
    }

    internal static FeatureModelConfig Tiny()
    {
        var config = new FeatureModelConfig { Members = 4, EmbeddingWidth = 4, Bins = 8, Networks = 1 };
        return config with
        {
            Encoder = config.Encoder with { Width = 16, Experts = 4, ExpertWidth = 16 },
            Training = config.Training with { MaxEpochs = 15, LearningRate = 1e-2f, BatchSize = 16, Seed = 1 },
        };
    }

    internal static Example<FeatureRow>[] Rows(int count, Func<float[], float> target)
    {
        var random = new Random(1);
        return [.. Enumerable.Range(0, count).Select(_ =>
        {
            float[] values = [2 * random.NextSingle() - 1, 2 * random.NextSingle() - 1, random.Next(2)];
            return new Example<FeatureRow>(FeatureRow.Dense(values), target(values));
        })];
    }

    internal static float[] Score(Model<FeatureRow> model, Example<FeatureRow>[] rows)
    {
        var outputs = new float[rows.Length * model.Outputs];
        model.Score([.. rows.Select(row => row.Input)], outputs);
        return outputs;
    }
}
