using System.CommandLine;
using System.Globalization;
using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Benchmarks;

/// <summary>
/// <c>proposals</c>: whether a sweep would find better options if it learned from its trials. The quasi-random points of a sweep against a
/// tree-structured Parzen estimator (Bergstra et al. 2011, "Algorithms for hyper-parameter optimization", section 4) that has the first third
/// of them in common; both under successive halving, with as many epochs. Over three made-up tables, and some seeds each.
/// </summary>
internal sealed class ProposalsCommand : System.CommandLine.Command
{
    private static readonly Option<int> Trials = new("--trials") { Description = "Trials of the points.", DefaultValueFactory = _ => 27 };
    private static readonly Option<int> Seeds = new("--seeds") { Description = "Seeds of each table.", DefaultValueFactory = _ => 5 };

    private static readonly string[] Tables = ["smooth", "interactions", "wide"];

    public ProposalsCommand()
        : base("proposals", "Quasi-random points against a tree-structured Parzen estimator, by trials of small networks.")
    {
        Options.Add(Trials);
        Options.Add(Seeds);
        SetAction(result =>
        {
            Console.WriteLine(
                "| table | seed | validation, points | validation, TPE | test, points | test, TPE | trials and epochs, points | trials and epochs, TPE |");
            Console.WriteLine("|---|---|---|---|---|---|---|---|");
            var (wins, losses) = (0, 0);
            foreach (var table in Tables)
            {
                for (var seed = 1; seed <= result.GetValue(Seeds); seed++)
                {
                    var search = new Search(table, seed);
                    var (points, parzen) = search.Compare(result.GetValue(Trials));
                    wins += parzen.Test < points.Test ? 1 : 0;
                    losses += parzen.Test > points.Test ? 1 : 0;
                    Console.WriteLine(string.Create(
                        CultureInfo.InvariantCulture,
                        $"| {table} | {seed} | {points.Loss:0.0000} | {parzen.Loss:0.0000} | {points.Test:0.0000} | {parzen.Test:0.0000} | "
                        + $"{points.Trials}, {points.Epochs} | {parzen.Trials}, {parzen.Epochs} |"));
                }
            }

            Console.WriteLine($"By the test rows TPE is better {wins} times, worse {losses} times.");
        });
    }

    /// <summary>A trial: where it is in the unit cube (of the number of experts, which of them), and what came of it.</summary>
    /// <param name="Place">Where.</param>
    /// <param name="Losses">On the validation rows, by epoch.</param>
    /// <param name="IsWhole">Whether it was trained to its end.</param>
    private sealed record Trial(double[] Place, IReadOnlyList<double> Losses, bool IsWhole);

    /// <summary>Both searches over one table.</summary>
    private sealed class Search
    {
        private const float LeastRate = 1e-4f, GreatestRate = 1e-1f, LeastDecay = 1e-4f, GreatestDecay = 1, GreatestDropout = 0.5f;
        private const double Good = 0.25;
        private const int Candidates = 24;
        private const int Numbers = 4;
        private const int OfExperts = 3;
        private const int Epochs = 18;
        private static readonly int[] Counts = [2, 4, 8];
        private static readonly int[] Rungs = [Epochs / 9, Epochs / 3];
        private readonly MLContext _ml;
        private readonly int _seed;
        private readonly IDataView _train, _validation, _test;
        private readonly Random _random;

        public Search(string table, int seed)
        {
            (_ml, _seed, _random) = (new MLContext(seed), seed, new Random(seed));
            (_train, _validation, _test) = (Rows(150), Rows(150), Rows(1000));

            IDataView Rows(int count) => _ml.Data.LoadFromEnumerable(Enumerable.Range(0, count).Select(_ => Thing.Of(table, _random)).ToList());
        }

        public (Outcome Points, Outcome Parzen) Compare(int trials)
        {
            var sweep = _ml.Regression.Trainers.Sweep(
                SearchSpaces.Empty<MoeRegressionTrainer.Options>()
                    .Fix(o => o.LabelColumnName, nameof(Thing.Value)).Fix(o => o.Width, 16).Fix(o => o.ExpertWidth, 16).Fix(o => o.Members, 2)
                    .Fix(o => o.BatchSize, 16).Fix(o => o.MaxEpochs, Epochs)
                    .Range(o => o.LearningRate, LeastRate, GreatestRate, log: true)
                    .Range(o => o.WeightDecay, LeastDecay, GreatestDecay, log: true)
                    .Range(o => o.Dropout, 0, GreatestDropout)
                    .Choice(o => o.Experts, Counts),
                (own, o) => own.Regression.Trainers.MoeRegressor(o),
                new SweepOptions
                {
                    MaxTrials = trials,
                    Workers = 1,
                    ValidationSet = _validation,
                    LabelColumnName = nameof(Thing.Value),
                    ConfirmWinner = false,
                    Seed = _seed,
                });
            using var model = (IDisposable)sweep.Fit(_train);
            var result = sweep.Result!;
            List<Trial> known = [.. result.Trials.Take(trials / 3).Select(Read)];
            // as many epochs as the other search, which trials that learn from others make longer
            var epochs = result.Trials.Sum(trial => trial.Epochs.Count);
            while (known.Sum(trial => trial.Losses.Count) < epochs)
                known.Add(Train(Propose(known), known, out _));
            var winner = known.Where(trial => trial.IsWhole).MinBy(trial => trial.Losses.Min())!;
            Train(winner.Place, [], out var parzen);
            return (
                new Outcome(result.Best!.Loss!.Value, Error((ITransformer)model, _test), trials, epochs),
                parzen with { Trials = known.Count, Epochs = known.Sum(trial => trial.Losses.Count) });
        }

        private static Trial Read(SweepTrial trial)
        {
            double Of(string option) => double.Parse(trial.Options[option], CultureInfo.InvariantCulture);
            return new Trial(
                [
                    Log(Of("LearningRate"), LeastRate, GreatestRate),
                    Log(Of("WeightDecay"), LeastDecay, GreatestDecay),
                    Of("Dropout") / GreatestDropout,
                    Array.IndexOf(Counts, (int)Of("Experts")),
                ],
                [.. trial.Epochs.Select(epoch => epoch.Loss!.Value)],
                trial.Verdict is SweepVerdict.Completed);

            static double Log(double value, double least, double greatest) => Math.Log(value / least) / Math.Log(greatest / least);
        }

        /// <summary>Trains a trial, and stops it at a rung where it is not among the best third of those before.</summary>
        private Trial Train(double[] place, IReadOnlyList<Trial> earlier, out Outcome outcome)
        {
            using var stop = new CancellationTokenSource();
            var losses = new List<double>();
            using var model = _ml.Regression.Trainers.MoeRegressor(new MoeRegressionTrainer.Options
            {
                LabelColumnName = nameof(Thing.Value),
                Width = 16,
                ExpertWidth = 16,
                Members = 2,
                BatchSize = 16,
                MaxEpochs = Epochs,
                Seed = _seed,
                ValidationSet = _validation,
                LearningRate = (float)(LeastRate * Math.Pow(GreatestRate / LeastRate, place[0])),
                WeightDecay = (float)(LeastDecay * Math.Pow(GreatestDecay / LeastDecay, place[1])),
                Dropout = (float)(GreatestDropout * place[2]),
                Experts = Counts[(int)place[3]],
                StopToken = stop.Token,
                EpochCompleted = epoch =>
                {
                    // what is cut short is reported too
                    if (stop.IsCancellationRequested)
                        return;
                    losses.Add(epoch.ValidationLoss!.Value);
                    if (!Rungs.Contains(losses.Count))
                        return;
                    double[] others =
                    [
                        .. earlier.Where(trial => trial.Losses.Count >= losses.Count).Select(trial => trial.Losses.Take(losses.Count).Min()),
                    ];
                    if (others.Count(other => other <= losses.Min()) >= Math.Max(1, (others.Length + 1) / 3))
                        stop.Cancel();
                },
            }).Fit(_train);
            outcome = new Outcome(Error(model, _validation), Error(model, _test), 1, losses.Count);
            return new Trial(place, losses, losses.Count >= Epochs);
        }

        private double Error(ITransformer model, IDataView rows) =>
            _ml.Regression.Evaluate(model.Transform(rows), nameof(Thing.Value)).RootMeanSquaredError;

        /// <summary>The one of some places drawn like the good trials that is the most like them and the least like the others.</summary>
        private double[] Propose(List<Trial> known)
        {
            // as in a sweep's leaderboard: what was trained for longer, then what is better
            var count = Math.Max(2, (int)Math.Ceiling(Good * known.Count));
            double[][] order =
            [
                .. known.OrderByDescending(trial => trial.Losses.Count).ThenBy(trial => trial.Losses.Min()).Select(trial => trial.Place),
            ];
            return Enumerable.Range(0, Candidates).Select(_ => Draw(order[..count])).MaxBy(place => Enumerable.Range(0, Numbers)
                .Sum(axis => Math.Log(Density(place[axis], axis, order[..count]) / Density(place[axis], axis, order[count..]))))!;
        }

        private double[] Draw(double[][] good)
        {
            var place = new double[Numbers];
            for (var axis = 0; axis < Numbers; axis++)
            {
                // one more than there are is the prior
                var kernel = _random.Next(good.Length + 1);
                if (axis == OfExperts)
                    place[axis] = kernel == good.Length ? _random.Next(Counts.Length) : good[kernel][axis];
                else if (kernel == good.Length)
                    place[axis] = _random.NextDouble();
                else
                    do
                        place[axis] = good[kernel][axis] + Bandwidth(good.Length) * Normal();
                    while (place[axis] is < 0 or >= 1);
            }

            return place;

            double Normal() => Math.Sqrt(-2 * Math.Log(1 - _random.NextDouble())) * Math.Cos(Math.Tau * _random.NextDouble());
        }

        private static double Density(double value, int axis, double[][] places)
        {
            if (axis == OfExperts)
                return (1.0 / Counts.Length + places.Count(place => place[axis] == value)) / (places.Length + 1);
            var width = Bandwidth(places.Length);
            var kernels = places.Sum(place => Math.Exp(-0.5 * Math.Pow((value - place[axis]) / width, 2)));
            return (1 + kernels / (width * Math.Sqrt(Math.Tau))) / (places.Length + 1);
        }

        /// <summary>Scott's rule, of places that are spread evenly.</summary>
        private static double Bandwidth(int count) => Math.Max(0.05, 0.29 * Math.Pow(count, -0.2));
    }

    private sealed record Outcome(double Loss, double Test, int Trials, int Epochs);

    private sealed class Thing
    {
        [VectorType(12)]
        public float[] Features { get; set; } = [];

        public float Value { get; set; }

        public static Thing Of(string table, Random random)
        {
            float[] x = [.. Enumerable.Range(0, 12).Select(_ => (float)(random.NextDouble() * 2 - 1))];
            var value = table switch
            {
                "smooth" => Math.Sin(3 * x[0]) + x[1] * x[1] + 0.5 * x[2],
                "interactions" => (x[0] * x[1] > 0 ? 1 : -1) + x[2] * x[3] + Math.Abs(x[4]),
                _ => x.Sum() / 4 + 0.3 * Math.Sign(x[5]),
            };
            var noise = table == "wide" ? 0.8 : 0.2;
            return new Thing { Features = x, Value = (float)(value + noise * (random.NextDouble() + random.NextDouble() - 1)) };
        }
    }
}
