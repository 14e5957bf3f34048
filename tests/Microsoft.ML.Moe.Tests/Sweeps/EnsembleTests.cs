using Microsoft.ML.Data;
using Microsoft.ML.Moe.Tests.Features;

namespace Microsoft.ML.Moe.Tests.Sweeps;

/// <summary>Averages of the best trials.</summary>
public sealed class EnsembleTests
{
    private readonly MLContext _ml = new(seed: 2);

    [Fact]
    public void Classes_are_averaged_by_probability()
    {
        var data = TinySweeps.Table(_ml);
        using var one = Fit(data, 1);
        using var other = Fit(data, 2);
        var average = Microsoft.ML.Moe.Sweeps.Running.Ensemble.Of(
            _ml, _ml, new Microsoft.ML.Moe.Sweeps.Running.ClassesTask(new SweepOptions()), [one, other], data.Schema);
        var (a, b, mean) = (Probabilities(one, data), Probabilities(other, data), Probabilities(average, data));
        for (var row = 0; row < mean.Length; row++)
        {
            for (var c = 0; c < mean[row].Length; c++)
                Assert.Equal((a[row][c] + b[row][c]) / 2, mean[row][c], 1e-6f);
        }

        var scored = average.Transform(data);
        Assert.Equal(
            mean.Select(p => (uint)Array.IndexOf(p, p.Max()) + 1), scored.GetColumn<uint>("PredictedLabel"));
        Assert.DoesNotContain(scored.Schema.Where(c => !c.IsHidden), c => c.Name.StartsWith("Moe.", StringComparison.Ordinal));
        Assert.Equal(mean, Probabilities(FeatureTables.Reload(_ml, average), data));
        var metrics = _ml.MulticlassClassification.Evaluate(scored);
        Assert.Equal(mean[0].Length, metrics.ConfusionMatrix.NumberOfClasses);

        MoeFeatureClassificationTransformer Fit(IDataView rows, int seed) => _ml.MulticlassClassification.Trainers
            .MoeClassifier(FeatureTables.Tiny<MoeFeatureClassificationTrainer.Options>(o => (o.Seed, o.MaxEpochs) = (seed, 3))).Fit(rows);
    }

    [Fact]
    public void Pipelines_that_overwrite_what_they_read_are_averaged_all_the_same()
    {
        var rows = _ml.Data.LoadFromEnumerable(FeatureTables.Rows(120));
        ITransformer[] models = [.. Enumerable.Range(1, 3).Select(seed => FeatureTables.Classes(_ml, o => (o.Seed, o.MaxEpochs) = (seed, 2)).Fit(rows))];
        var average = Microsoft.ML.Moe.Sweeps.Running.Ensemble.Of(
            _ml, _ml, new Microsoft.ML.Moe.Sweeps.Running.ClassesTask(new SweepOptions()), models, rows.Schema);
        var single = models.Select(model => Probabilities(model, rows)).ToArray();
        var mean = Probabilities(average, rows);
        Assert.All(Enumerable.Range(0, mean.Length), row => Assert.Equal(single.Average(p => p[row][0]), mean[row][0], 1e-6f));
        var engine = _ml.Model.CreatePredictionEngine<FeatureRecord, ClassPrediction>(average);
        Assert.Equal(mean[0], engine.Predict(FeatureTables.Rows(120)[0]).Score);
    }

    [Fact]
    public void Sweeps_give_averages_that_are_at_least_as_good_as_the_best()
    {
        var data = TinySweeps.Table(_ml, 200);
        var split = _ml.Data.TrainTestSplit(data, 0.3);
        var numbers = TinySweeps.Prices(_ml, o => (o.EnsembleSize, o.ValidationSet) = (3, split.TestSet));
        var binary = TinySweeps.Sizes(_ml, o => (o.EnsembleSize, o.ValidationSet) = (3, split.TestSet));
        var price = numbers.Fit(split.TrainSet);
        var size = binary.Fit(split.TrainSet);
        foreach (var result in new[] { numbers.Result!, binary.Result! })
        {
            Assert.Equal(result.Members.Count > 1, result.EnsembleLoss is not null);
            Assert.True(result.EnsembleLoss is null || result.EnsembleLoss <= result.Best!.Loss);
        }

        var (rmse, loss) = (_ml.Regression.Evaluate(price.Transform(split.TestSet), "Price").RootMeanSquaredError,
            _ml.BinaryClassification.Evaluate(size.Transform(split.TestSet), "IsLarge").LogLoss * Math.Log(2));
        Assert.Equal(numbers.Result!.EnsembleLoss ?? numbers.Result.Best!.Loss!.Value, rmse, 1e-4);
        Assert.Equal(binary.Result!.EnsembleLoss ?? binary.Result.Best!.Loss!.Value, loss, 1e-4);
        var again = FeatureTables.Reload(_ml, size).Transform(data);
        Assert.Equal(FeatureTables.Scores(size.Transform(data), "Probability"), FeatureTables.Scores(again, "Probability"));
        Assert.Equal(again.GetColumn<float>("Probability").Select(p => p > 0.5f), again.GetColumn<bool>("PredictedLabel"));
    }

    [Fact]
    public void A_predicted_label_that_is_no_key_cannot_be_averaged()
    {
        var sweep = _ml.MulticlassClassification.Trainers.Sweep(
            TinySweeps.Space<MoeFeatureClassificationTrainer.Options>(),
            (ml, o) => ml.MulticlassClassification.Trainers.MoeClassifier(o).Append(ml.Transforms.Conversion.MapKeyToValue("PredictedLabel")),
            new SweepOptions { MaxTrials = 3, EnsembleSize = 2 });
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => sweep.Fit(TinySweeps.Table(_ml)));
        Assert.Contains("put MapKeyToValue after", error.Message, StringComparison.Ordinal);
    }

    private static float[][] Probabilities(ITransformer model, IDataView data) =>
        [.. model.Transform(data).GetColumn<float[]>("Score")];

    private sealed class ClassPrediction
    {
        public float[] Score { get; set; } = [];
    }
}
