using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Microsoft.ML.Data;
using Microsoft.ML.Moe.Benchmarks.Measurement;

namespace Microsoft.ML.Moe.Benchmarks;

/// <summary>
/// <c>sweeps</c>: what sweeps cost and bring on tables of texts. A sweep whose budget is shorter than one trial. S1: trials under successive halving against
/// as many whole trainings of the defaults. Then a sweep of some minutes, whose winner is compared with the defaults on the test rows, row by row.
/// </summary>
internal sealed class SweepsCommand : System.CommandLine.Command
{
    private static readonly Option<string> Data = new("--data")
    {
        Description = "Folder with a folder for each set, which has a file that ends in train.tsv and one in test.tsv: a label, a tab and a text in each line.",
        Required = true,
    };

    private static readonly Option<string[]> Sets = new("--sets")
    {
        AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => ["clinc150", "movie_sentences"],
    };

    private static readonly Option<double> Minutes = new("--minutes") { Description = "Minutes of a sweep; 0 leaves it out.", DefaultValueFactory = _ => 20 };
    private static readonly Option<int> Trials = new("--trials") { Description = "Trials of S1; 0 leaves it out.", DefaultValueFactory = _ => 27 };
    private static readonly Option<int> Seed = new("--seed") { DefaultValueFactory = _ => 1 };
    private static readonly Option<int?> Rows = new("--rows") { Description = "Rows of each table at most. Default: all." };
    private static readonly Option<int?> Epochs = new("--epochs") { Description = "Passes over the training rows. Default: by their number." };

    public SweepsCommand()
        : base("sweeps", "Sweeps over tables of texts: what they cost, and what the winner is worth on test rows.")
    {
        foreach (var option in (Option[])[Data, Sets, Minutes, Trials, Seed, Rows, Epochs])
            Options.Add(option);
        SetAction(result =>
        {
            foreach (var set in result.GetValue(Sets)!)
            {
                var run = new SetRun(Path.Combine(result.GetValue(Data)!, set), result.GetValue(Seed), result.GetValue(Rows), result.GetValue(Epochs));
                run.Execute(set, result.GetValue(Trials), TimeSpan.FromMinutes(result.GetValue(Minutes)));
            }
        });
    }

    private static void Tell(FormattableString line) => Console.WriteLine(line.ToString(CultureInfo.InvariantCulture));

    /// <summary>The sweeps over one table.</summary>
    private sealed class SetRun
    {
        private readonly MLContext _ml;
        private readonly int _seed;
        private readonly IDataView _train;
        private readonly IDataView _test;
        private readonly SearchSpace<MoeTextClassificationTrainer.Options> _space;

        public SetRun(string folder, int seed, int? rows, int? epochs)
        {
            (_ml, _seed) = (new MLContext(seed), seed);
            var (train, test) = (Read(folder, "train.tsv", rows), Read(folder, "test.tsv", rows));
            var keys = _ml.Transforms.Conversion.MapValueToKey(nameof(LabelledText.Label)).Fit(train);
            (_train, _test) = (keys.Transform(train), keys.Transform(test));
            _space = SearchSpaces.Text.Fix(o => o.Sentence1ColumnName, nameof(LabelledText.Text)).Fix(o => o.MaxEpochs, epochs);
        }

        public void Execute(string name, int trials, TimeSpan budget)
        {
            var defaults = Fit(new SweepOptions { MaxTrials = 1 });
            Tell($"{name}: the defaults in {defaults.Seconds:0.0} s, test log-loss {defaults.Losses.Average():0.0000}, accuracy {defaults.Accuracy:P1}");
            foreach (var share in new[] { 1.0 / 2, 1.0 / 4, 1.0 / 16 })
                Shorten(name, TimeSpan.FromSeconds(defaults.Seconds * share));
            if (trials > 0)
                Count(name, trials, defaults);
            if (budget <= TimeSpan.Zero)
                return;
            var timed = Fit(new SweepOptions { TimeBudget = budget });
            foreach (var line in TrialLines.Of(timed.Result))
                Console.WriteLine(line);
            Tell($"{name}: {timed.Trials.Count} trials in {timed.Seconds:0.0} s, {timed.Seconds / budget.TotalSeconds:0.000} of the budget");
            Compare(name, "the winner", timed, defaults);
        }

        /// <summary>A budget that ends amid the defaults: their best epoch is what is left.</summary>
        private void Shorten(string name, TimeSpan budget)
        {
            var cut = Fit(new SweepOptions { TimeBudget = budget });
            var trial = cut.Trials.Single();
            Tell($"{name}: a budget of {budget.TotalSeconds:0.0} s: {cut.Seconds:0.0} s, {cut.Seconds / budget.TotalSeconds:0.000} of it, {trial.Verdict}");
            var epochs = string.Join(' ', trial.Epochs.Select(epoch => FormattableString.Invariant($"{epoch.Loss:0.0000}")));
            Tell($"{name}: validation log-loss by epoch {epochs}, of the model {trial.Loss:0.0000}, the linear branch counted");
            Tell($"{name}: test log-loss {cut.Losses.Average():0.0000}, accuracy {cut.Accuracy:P1}");
        }

        private void Count(string name, int trials, Outcome defaults)
        {
            var counted = Fit(new SweepOptions { MaxTrials = trials, ConfirmWinner = false });
            var share = counted.Seconds / (trials * defaults.Seconds);
            Tell($"{name}: S1: {counted.Trials.Count} trials in {counted.Seconds:0.0} s, {share:0.00} of as many whole trainings (goal 0.40)");
            Compare(name, "that winner", counted, defaults);
        }

        private static void Compare(string name, string what, Outcome winner, Outcome defaults)
        {
            var (mean, error) = RowByRow.Difference(winner.Losses, defaults.Losses);
            Tell($"{name}: {what}: test log-loss {winner.Losses.Average():0.0000}, accuracy {winner.Accuracy:P1}; row by row {mean:+0.0000;-0.0000} ± {error:0.0000}");
        }

        private Outcome Fit(SweepOptions options)
        {
            options.Seed = _seed;
            var sweep = _ml.MulticlassClassification.Trainers.Sweep(
                _space, (ml, o) => ml.MulticlassClassification.Trainers.MoeTextClassifier(o), options);
            var watch = Stopwatch.StartNew();
            var model = sweep.Fit(_train);
            var seconds = watch.Elapsed.TotalSeconds;
            using var disposal = model as IDisposable;
            var scored = model.Transform(_test);
            uint[] labels = [.. scored.GetColumn<uint>(nameof(LabelledText.Label))];
            double[] losses =
            [
                .. scored.GetColumn<float[]>("Score").Zip(labels, (row, label) => -Math.Log(Math.Max(label == 0 ? 0 : row[label - 1], 1e-15))),
            ];
            var right = scored.GetColumn<uint>("PredictedLabel").Zip(labels, (said, label) => said == label).Count(isRight => isRight);
            return new Outcome(losses, (double)right / labels.Length, seconds, sweep.Result!);
        }

        private IDataView Read(string folder, string ending, int? rows)
        {
            var file = Directory.GetFiles(folder).Where(path => path.EndsWith(ending, StringComparison.Ordinal)).MinBy(path => path.Length)!;
            string[] lines = [.. File.ReadLines(file).Skip(1)];
            var step = rows is { } most ? Math.Max(1, lines.Length / most) : 1;
            return _ml.Data.LoadFromEnumerable(lines.Where((_, number) => number % step == 0).Select(line => line.Split('\t', 2))
                .Select(cells => new LabelledText { Label = cells[0], Text = cells[1] }).ToList());
        }
    }

    private sealed record Outcome(double[] Losses, double Accuracy, double Seconds, SweepResult Result)
    {
        public IReadOnlyList<SweepTrial> Trials => Result.Trials;
    }

    private sealed class LabelledText
    {
        public string Label { get; set; } = "";

        public string Text { get; set; } = "";
    }
}
