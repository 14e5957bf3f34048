using System.Collections.Concurrent;
using Microsoft.ML.Data;
using Microsoft.ML.Moe.Sweeps.Schedule;
using Microsoft.ML.Moe.Tests.Features;
using Microsoft.ML.Trainers;

namespace Microsoft.ML.Moe.Tests.Sweeps;

/// <summary>What sweeps find, and what of the models that they train remains.</summary>
public sealed class SweepTests
{
    private readonly MLContext _ml = new(seed: 4);

    [Fact]
    public void The_model_is_that_of_the_best_trial_as_if_it_alone_had_been_fitted()
    {
        var data = TinySweeps.Table(_ml);
        var split = _ml.Data.TrainTestSplit(data, 0.3);
        var sweep = TinySweeps.Prices(_ml, o => o.ValidationSet = split.TestSet);
        var model = Assert.IsType<MoeRegressionTransformer>(sweep.Fit(split.TrainSet));

        var result = sweep.Result!;
        Assert.Equal(7, result.Trials.Count);
        Assert.Equal(result.Best!.Loss!.Value, _ml.Regression.Evaluate(model.Transform(split.TestSet), "Price").RootMeanSquaredError, 1e-5);
        Assert.True(result.Best.Loss <= result.Trials[0].Loss);
        Assert.Equal("0.1", result.Trials[0].Options["Dropout"]);

        var own = sweep.BestOptions!;
        (own.ValidationSet, own.Seed) = (split.TestSet, 4);
        using var alone = _ml.Regression.Trainers.MoeRegressor(own).Fit(split.TrainSet);
        Assert.Equal(Scores(alone, data), Scores(model, data));
        Assert.Equal(Scores(model, data), Scores(FeatureTables.Reload(_ml, model), data));
    }

    [Fact]
    public void Trials_are_stopped_at_rungs_where_two_thirds_are_better_and_the_defaults_never()
    {
        var sweep = TinySweeps.Prices(_ml, o => o.MaxTrials = 12);
        sweep.Fit(TinySweeps.Table(_ml));
        var trials = sweep.Result!.Trials;
        Assert.Equal(SweepVerdict.Completed, trials[0].Verdict);
        Assert.Contains(trials, trial => trial is { Verdict: SweepVerdict.Stopped, Loss: null });
        Assert.All(trials, trial => Assert.Equal(trial.Verdict is SweepVerdict.Completed ? 9 : trial.Epochs.Count, trial.Epochs.Count));
        for (var rung = 0; rung < 2; rung++)
        {
            var (epoch, earlier) = (rung == 0 ? 1 : 3, new List<double>());
            foreach (var trial in trials.Where(trial => trial.Epochs.Count >= epoch))
            {
                var loss = trial.Epochs.Take(epoch).Min(e => e.Loss!.Value);
                var goesOn = trial.Number == 0 || SuccessiveHalving.GoesOn(loss, earlier);
                Assert.Equal(goesOn, trial.Epochs.Count > epoch);
                earlier.Add(loss);
            }
        }
    }

    [Fact]
    public void The_leaderboard_is_the_same_with_one_worker_and_with_three()
    {
        var data = TinySweeps.Table(_ml);
        Assert.Equal(Lines(1), Lines(3));

        string[] Lines(int workers)
        {
            var sweep = TinySweeps.Prices(_ml, o => (o.Workers, o.MaxTrials, o.EnsembleSize, o.ConfirmWinner) = (workers, 12, 2, true));
            sweep.Fit(data);
            return TinySweeps.Lines(sweep.Result!);
        }
    }

    [Fact]
    public void A_sweep_within_a_pipeline_cross_validates_and_pipelines_can_be_swept_whole()
    {
        var rows = _ml.Data.LoadFromEnumerable(FeatureTables.Rows(150));
        var sweep = _ml.MulticlassClassification.Trainers.Sweep(
            TinySweeps.Space<MoeFeatureClassificationTrainer.Options>(),
            (ml, o) => FeatureTables.Featurize(ml).Append(ml.MulticlassClassification.Trainers.MoeClassifier(o)),
            new SweepOptions { MaxTrials = 3, Workers = 1, ConfirmWinner = false });
        var pipeline = _ml.Transforms.Conversion.MapValueToKey("Label").Append(sweep).Append(_ml.Transforms.Conversion.MapKeyToValue("PredictedLabel"));
        var folds = _ml.MulticlassClassification.CrossValidate(rows, pipeline, numberOfFolds: 2);
        Assert.All(folds, fold => Assert.InRange(fold.Metrics.MicroAccuracy, 0.4, 1));

        // what the estimator promises is what comes
        var model = pipeline.Fit(rows);
        var promised = pipeline.GetOutputSchema(Microsoft.ML.Moe.MlNet.EstimatorSteps.ShapeOf(rows.Schema));
        Assert.Equal(
            model.GetOutputSchema(rows.Schema).Where(c => !c.IsHidden).Select(c => c.Name).Order(),
            promised.Select(c => c.Name).Order());
    }

    [Fact]
    public void Epochs_of_a_trainer_within_a_pipeline_are_of_the_sweeps_rows()
    {
        var rows = _ml.Data.LoadFromEnumerable(FeatureTables.Rows(120));
        var alone = TinySweeps.Prices(_ml, o => o.MaxTrials = 2);
        alone.Fit(FeatureTables.Featurize(_ml).Fit(rows).Transform(rows));
        var whole = _ml.Regression.Trainers.Sweep(
            TinySweeps.Space<MoeRegressionTrainer.Options>().Fix(o => o.LabelColumnName, "Price"),
            (ml, o) => FeatureTables.Featurize(ml).Append(ml.Regression.Trainers.MoeRegressor(o)),
            new SweepOptions { MaxTrials = 2, Workers = 1, ValidationShare = 0.3f, LabelColumnName = "Price", ConfirmWinner = false });
        whole.Fit(rows);
        Assert.Equal(9, whole.Result!.Trials[0].Epochs.Count);
        Assert.Equal(TinySweeps.Lines(alone.Result!), TinySweeps.Lines(whole.Result!));
    }

    [Fact]
    public void A_trainer_of_ml_net_is_swept_by_its_fields_and_fitted_whole()
    {
        var sweep = _ml.MulticlassClassification.Trainers.Sweep(
            SearchSpaces.Empty<SdcaMaximumEntropyMulticlassTrainer.Options>()
                .Fix(o => o.NumberOfThreads, 1).Fix(o => o.MaximumNumberOfIterations, 5)
                .Range(o => o.L2Regularization, 1e-6f, 1e-1f, log: true),
            (ml, o) => ml.Transforms.NormalizeMinMax("Features").Append(ml.MulticlassClassification.Trainers.SdcaMaximumEntropy(o)),
            new SweepOptions { MaxTrials = 4, Workers = 2 });
        var model = sweep.Fit(TinySweeps.Table(_ml));
        Assert.All(sweep.Result!.Trials, trial => Assert.True(trial is { Verdict: SweepVerdict.Completed, Epochs.Count: 0, Loss: > 0 }));
        Assert.IsType<TransformerChain<ITransformer>>(model);
        Assert.True(sweep.Result.Confirmation is null || sweep.Result.Confirmation.Trial == sweep.Result.Best!.Number);
    }

    [Fact]
    public void A_failing_trial_is_a_line_and_not_the_end()
    {
        var made = 0;
        var sweep = _ml.Regression.Trainers.Sweep(
            TinySweeps.Space<MoeRegressionTrainer.Options>().Fix(o => o.LabelColumnName, "Price"),
            (ml, o) => Interlocked.Increment(ref made) is 3 or 4 ? throw new TimeZoneNotFoundException("It is late.") : ml.Regression.Trainers.MoeRegressor(o),
            new SweepOptions { MaxTrials = 4, Workers = 1, LabelColumnName = "Price" });
        sweep.Fit(TinySweeps.Table(_ml));
        Assert.Equal(4, sweep.Result!.Trials.Count);
        var failed = sweep.Result.Trials.Where(trial => trial.Verdict is SweepVerdict.Failed).ToArray();
        Assert.Equal([1, 2], failed.Select(trial => trial.Number));
        Assert.All(failed, trial => Assert.Equal("TimeZoneNotFoundException: It is late.", trial.Error));
        Assert.Equal(failed, sweep.Result.Leaderboard.TakeLast(2));
    }

    [Fact]
    public void What_is_wrong_with_the_table_ends_a_sweep_before_it_trains()
    {
        var trials = 0;
        var data = TinySweeps.Table(_ml);
        var sweep = _ml.Regression.Trainers.Sweep(
            TinySweeps.Space<MoeRegressionTrainer.Options>(), // the label of this table is a key
            (ml, o) => ml.Regression.Trainers.MoeRegressor(o),
            new SweepOptions { TrialChanged = _ => trials++ });
        var error = Assert.ThrowsAny<Exception>(() => sweep.Fit(data));
        Assert.Contains("'Label'", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, trials);

        var unscored = TinySweeps.Prices(_ml, o => (o.ScoreColumnName, o.TrialChanged) = ("Points", _ => trials++));
        Assert.Contains("'Points'", Assert.Throws<ArgumentOutOfRangeException>(() => unscored.Fit(data)).Message, StringComparison.Ordinal);
        Assert.Equal(0, trials);
        Assert.Throws<ArgumentException>(() => TinySweeps.Prices(_ml, o => o.Metric = SweepMetric.LogLoss));
        Assert.Throws<ArgumentOutOfRangeException>(() => TinySweeps.Prices(_ml, o => o.EnsembleSize = 0));
    }

    [Fact]
    public void A_budget_that_ends_amid_the_defaults_gives_their_best_epoch()
    {
        using var stop = new CancellationTokenSource();
        var sweep = TinySweeps.Prices(_ml, o =>
        {
            o.StopToken = stop.Token;
            o.TrialChanged = trial =>
            {
                if (trial.Epochs.Count == 3)
                    stop.Cancel();
            };
        });
        using var model = (MoeRegressionTransformer)sweep.Fit(TinySweeps.Table(_ml));
        var trial = Assert.Single(sweep.Result!.Trials);
        Assert.Equal((SweepVerdict.OutOfTime, 3), (trial.Verdict, trial.Epochs.Count));
        Assert.True(trial.Loss > 0);
    }

    [Fact]
    public void A_budget_that_is_over_before_the_first_step_is_told()
    {
        var sweep = TinySweeps.Prices(_ml, o => o.TimeBudget = TimeSpan.FromTicks(1));
        var error = Assert.Throws<InvalidOperationException>(() => sweep.Fit(TinySweeps.Table(_ml)));
        Assert.Contains("TimeBudget", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Cancelling_the_context_ends_a_sweep()
    {
        var sweep = TinySweeps.Prices(_ml, o => (o.Workers, o.TrialChanged) = (2, trial =>
        {
            if (trial is { Number: 2, Epochs.Count: 1 })
                _ml.Cancel();
        }));
        Assert.ThrowsAny<OperationCanceledException>(() => sweep.Fit(TinySweeps.Table(_ml)));
        Assert.InRange(sweep.Result!.Trials.Count, 2, 4);
    }

    [Fact]
    public void The_winner_is_confirmed_with_another_seed_against_the_defaults()
    {
        var data = TinySweeps.Table(_ml);
        var split = _ml.Data.TrainTestSplit(data, 0.3);
        // the defaults learn next to nothing, so that another trial wins
        var sweep = _ml.Regression.Trainers.Sweep(
            SearchSpaces.Empty<Slow>().Range(o => o.Rate, 1e-2f, 2e-2f),
            (ml, o) => ml.Regression.Trainers.MoeRegressor(o.ToOptions()),
            new SweepOptions { MaxTrials = 2, Workers = 1, ValidationSet = split.TestSet, LabelColumnName = "Price" });
        sweep.Fit(split.TrainSet);
        var confirmation = sweep.Result!.Confirmation!;
        Assert.Equal((1, 5), (confirmation.Trial, confirmation.Seed));
        var (winner, defaults) = (confirmation.Loss * confirmation.Loss, Math.Pow(sweep.Result.Trials[0].Loss!.Value, 2));
        Assert.Equal(winner - defaults, confirmation.Difference, 1e-4);
        Assert.True(confirmation.Difference < -2 * confirmation.StandardError);
    }

    [Fact]
    public void Losers_are_disposed_as_soon_as_they_have_lost()
    {
        var alive = new ConcurrentBag<MoeRegressionTransformer>();
        var most = 0;
        var sweep = _ml.Regression.Trainers.Sweep(
            SearchSpaces.Empty<MoeRegressionTrainer.Options>()
                .Fix(o => o.LabelColumnName, "Price").Fix(o => o.Width, 16).Fix(o => o.MaxEpochs, 1).Range(o => o.Dropout, 0f, 0.4f),
            (ml, o) => new Watched(ml.Regression.Trainers.MoeRegressor(o), alive.Add),
            new SweepOptions
            {
                MaxTrials = 8,
                Workers = 1,
                EnsembleSize = 2,
                LabelColumnName = "Price",
                ConfirmWinner = false,
                TrialChanged = trial => most = Math.Max(most, trial.Verdict is SweepVerdict.Running ? alive.Count(model => model.IsModelAlive) : 0),
            });
        var model = sweep.Fit(TinySweeps.Table(_ml));
        Assert.Equal(8, alive.Count);
        Assert.Equal(2, most);
        Assert.Equal(sweep.Result!.Members.Count, alive.Count(one => one.IsModelAlive));
        ((IDisposable)model).Dispose();
        Assert.DoesNotContain(alive, one => one.IsModelAlive);
    }

    private static float[] Scores(ITransformer model, IDataView data) => FeatureTables.Scores(model.Transform(data));

    /// <summary>Options of one's own.</summary>
    internal sealed class Slow
    {
        public float Rate { get; set; } = 1e-6f;

        public MoeRegressionTrainer.Options ToOptions() => FeatureTables.Tiny<MoeRegressionTrainer.Options>(o =>
            (o.LearningRate, o.LabelColumnName, o.MaxEpochs) = (Rate, "Price", 8));
    }

    private sealed class Watched(IEstimator<MoeRegressionTransformer> inner, Action<MoeRegressionTransformer> watch) : IEstimator<ITransformer>
    {
        public ITransformer Fit(IDataView input)
        {
            var model = inner.Fit(input);
            watch(model);
            return model;
        }

        public SchemaShape GetOutputSchema(SchemaShape inputSchema) => inner.GetOutputSchema(inputSchema);
    }
}
