using Microsoft.ML.Moe.Evaluation;
using Microsoft.ML.Moe.Tests.GeneratorTuning;
using static Microsoft.ML.Moe.Tests.GeneratorTuning.TunedGenerators;

namespace Microsoft.ML.Moe.Tests.Sweeps;

/// <summary>Sweeps of models that write, by what they write and by how well they tell what they should.</summary>
public sealed class TextSweepTests : IDisposable
{
    private readonly TunedGenerators _models = new();
    private readonly MLContext _ml = new(seed: 4);

    public void Dispose() => _models.Dispose();

    [Fact]
    public void The_best_trial_is_the_one_that_writes_most_like_the_targets()
    {
        var (training, validation) = (Table(LetterRows(60)), Table(LetterRows(24, seed: 2)));
        var sweep = Answers(o => (o.Metric, o.ValidationSet, o.LabelColumnName) = (SweepMetric.ExactMatch, validation, "Targets"));
        using var model = (MoeTextGenerationTransformer)sweep.Fit(training);

        var result = sweep.Result!;
        Assert.Equal(SweepMetric.ExactMatch, result.Metric);
        Assert.All(result.Trials, trial => Assert.True(trial.Verdict is SweepVerdict.Completed or SweepVerdict.Stopped));
        var best = result.Best!;
        // the defaults of this space learn nothing
        Assert.True(best.Number > 0 && best.Loss < result.Trials[0].Loss);
        Assert.Equal(["ExactMatch", "F1", "RougeL", "RougeLsum"], best.Metrics.Keys.Order());
        Assert.Equal(100 - best.Metrics["ExactMatch"], best.Loss!.Value, 1e-4);
        var scored = model.Transform(validation);
        Assert.Equal(TextEvaluation.Squad(scored, "Prediction", "Targets").ExactMatch, best.Metrics["ExactMatch"], 1e-4);
        Assert.Equal(TextEvaluation.Rouge(scored, "Prediction", "Targets").RougeLsum.F1, best.Metrics["RougeLsum"], 1e-4);
        double[] losses = [.. result.Leaderboard.Select(trial => trial.Loss).OfType<double>()];
        Assert.Equal(losses.Order(), losses);
        Assert.True(result.Confirmation is { Difference: < 0, Seed: 5 });

        // the trial's best epoch is that by the same metric, as if it alone had been fitted
        var own = sweep.BestOptions!;
        (own.ValidationSet, own.Seed, own.Metric) = (validation, 4, TextMetric.ExactMatch);
        using var alone = _ml.Transforms.Text.MoeTextToText(own).Fit(training);
        Assert.Equal(Write(_ml, alone, LetterRows(24, seed: 2)), Write(_ml, model, LetterRows(24, seed: 2)));
    }

    [Theory]
    [InlineData("switch", "Target")]
    [InlineData("switch", "Targets")]
    [InlineData("olmoe", "Target")]
    [InlineData("olmoe", "Source")]
    public void The_log_loss_is_the_trainers_own(string kind, string label)
    {
        // the text itself is learned where it is the label
        var (training, validation) = (Table(LetterRows(40)), Table([.. LetterRows(12, seed: 2), new LetterRow { Source = " ", Targets = [] }]));
        var options = new SweepOptions { MaxTrials = 2, Workers = 1, LabelColumnName = label, ValidationSet = validation, ConfirmWinner = false };
        SweepResult? result;
        if (kind == "switch")
        {
            var sweep = _ml.Transforms.Text.Sweep(
                Tiny(SearchSpaces.TextToText(_models.Switch)).Fix(o => o.TargetColumnName, label),
                (own, o) => own.Transforms.CopyColumns("Unused", "Number").Append(own.Transforms.Text.MoeTextToText(o)),
                options);
            (sweep.Fit(training) as IDisposable)!.Dispose();
            result = sweep.Result;
        }
        else
        {
            var sweep = _ml.Transforms.Text.Sweep(
                Tiny(SearchSpaces.LanguageModel(_models.Olmoe)).Fix(o => o.PromptColumnName, "Source")
                    .Fix(o => o.CompletionColumnName, label == "Source" ? null : label),
                (own, o) => own.Transforms.Text.MoeLanguageModel(o),
                options);
            (sweep.Fit(training) as IDisposable)!.Dispose();
            result = sweep.Result;
        }

        Assert.Equal(SweepMetric.LogLoss, result!.Metric);
        Assert.All(result.Trials.Where(trial => trial.Loss is not null), trial =>
        {
            Assert.Equal(trial.BestEpochLoss!.Value, trial.Loss!.Value, 1e-4);
            Assert.Equal(Math.Exp(trial.Loss.Value), trial.Metrics["Perplexity"], 1e-6);
        });
    }

    [Fact]
    public void A_sweep_that_ends_amid_the_defaults_gives_their_best_epoch()
    {
        using var stop = new CancellationTokenSource();
        var sweep = Answers(o => (o.StopToken, o.TrialChanged) = (stop.Token, trial =>
        {
            if (trial.Epochs.Count == 3)
                stop.Cancel();
        }));
        (sweep.Fit(Table(LetterRows(40))) as IDisposable)!.Dispose();
        var trial = Assert.Single(sweep.Result!.Trials);
        Assert.Equal((SweepVerdict.OutOfTime, 3), (trial.Verdict, trial.Epochs.Count));
        Assert.Equal(trial.BestEpochLoss!.Value, trial.Loss!.Value, 1e-4);
    }

    [Fact]
    public void A_sweep_of_texts_goes_on_from_its_journal()
    {
        var data = Table(LetterRows(60));
        var journal = _models["sweep.jsonl"];
        Sweep(2, journal);
        var (resumed, straight) = (Sweep(4, journal), Sweep(4, null));
        Assert.Equal(4, straight.Trials.Count);
        Assert.Equal(TinySweeps.Lines(straight), TinySweeps.Lines(resumed));
        Assert.Equal(SweepMetric.RougeL, SweepResult.Read(journal).Metric);
        Assert.Contains("RougeL", resumed.ToHtml(), StringComparison.Ordinal);

        SweepResult Sweep(int trials, string? file)
        {
            var sweep = Answers(o => (o.Metric, o.MaxTrials, o.JournalFile, o.ConfirmWinner) = (SweepMetric.RougeL, trials, file, false));
            (sweep.Fit(data) as IDisposable)!.Dispose();
            return sweep.Result!;
        }
    }

    [Fact]
    public void What_no_text_has_is_refused()
    {
        var data = Table(LetterRows(20));
        Refused<ArgumentException>("RootMeanSquaredError", o => o.Metric = SweepMetric.RootMeanSquaredError);
        Refused<ArgumentException>("EnsembleSize at 1", o => o.EnsembleSize = 2);
        Refused<ArgumentException>("PredictionColumnName", o => o.PredictionColumnName = " ");
        Refused<ArgumentException>("'Label'", o => (o.LabelColumnName, o.Metric) = ("Label", SweepMetric.F1));
        Refused<ArgumentException>("'Number'", o => (o.LabelColumnName, o.Metric) = ("Number", SweepMetric.F1));
        Refused<ArgumentException>("'Said'", o => (o.PredictionColumnName, o.Metric) = ("Said", SweepMetric.F1));

        void Refused<T>(string what, Action<SweepOptions> change)
            where T : Exception
        {
            var trials = 0;
            var error = Assert.ThrowsAny<T>(() => Answers(o =>
            {
                o.TrialChanged = trial => trials += trial.Epochs.Count;
                change(o);
            }).Fit(data));
            Assert.Contains(what, error.Message, StringComparison.Ordinal);
            Assert.Equal(0, trials);
        }
    }

    [Fact]
    public void What_a_space_begins_with_can_be_said_anew()
    {
        var space = SearchSpaces.LanguageModel(_models.Olmoe);
        Assert.Equal(["LearningRate", "WeightDecay", "Dropout", "BatchSize"], space.Options);
        Assert.Equal(["LearningRate", "WeightDecay", "Dropout"], space.Range(o => o.LearningRate, 1e-3f, 2e-3f).Fix(o => o.BatchSize, 8).Options);
    }

    private SweepEstimator<MoeTextToTextTrainer.Options> Answers(Action<SweepOptions> change)
    {
        var options = new SweepOptions { MaxTrials = 3, Workers = 1, LabelColumnName = "Target", ValidationShare = 0.3f };
        change(options);
        return _ml.Transforms.Text.Sweep(
            SearchSpaces.Empty<MoeTextToTextTrainer.Options>()
                .Fix(o => o.Model, _models.Switch).Fix(o => o.MaxEpochs, 12).Fix(o => o.BatchSize, 8)
                .Range(o => o.LearningRate, 5e-5f, 2e-2f, log: true)
                .First(c => c.Set(o => o.LearningRate, 1e-2f)),
            (own, o) => own.Transforms.Text.MoeTextToText(o),
            options);
    }

    private static SearchSpace<T> Tiny<T>(SearchSpace<T> space)
        where T : MoeGeneratorOptions, new() => space.Fix(o => o.MaxEpochs, 2);

    private IDataView Table(IEnumerable<LetterRow> rows) => _ml.Data.LoadFromEnumerable(rows);
}
