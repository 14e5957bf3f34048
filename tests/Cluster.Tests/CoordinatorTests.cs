using System.Text.Json;
using Microsoft.ML.Moe.Cluster;
using Microsoft.ML.Moe.Sweeps.Journal;
using Microsoft.ML.Moe.Sweeps.Running;
using Microsoft.ML.Moe.Sweeps.Schedule;

namespace Microsoft.ML.Moe.Tests.Cluster;

/// <summary>
/// Who is given what, and what becomes of it when workers or the coordinator die. Nothing is trained here, and time is made up.
/// </summary>
public sealed class CoordinatorTests : IDisposable
{
    private const int Epochs = 9;
    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(1);
    private readonly TemporaryFolder _folder = new();
    private readonly MadeUpTime _time = new();
    private readonly MLContext _ml = new(seed: 1);
    private readonly CancellationTokenSource _stop = new();
    private Coordinator _coordinator;
    private int _trials = 6;

    public CoordinatorTests() => _coordinator = Open();

    private string Journal => _folder["sweep.jsonl"];

    public void Dispose()
    {
        _coordinator.Dispose();
        _stop.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void A_lease_whose_worker_is_not_heard_of_goes_to_another_with_its_epochs()
    {
        var first = Take("a", 0);
        Assert.Equal(TrialAnswer.GoOn, _coordinator.Begin(first.Id));
        Assert.Equal(TrialAnswer.GoOn, Report(first, 1, 0.5));
        for (var i = 0; i < 5; i++)
        {
            _time.Advance(Lease * 0.9);
            Assert.Equal(TrialAnswer.GoOn, _coordinator.Renew(first.Id));
        }

        _time.Advance(Lease * 1.1);
        var second = Take("b", 0);
        Assert.True(second.Id.Number > first.Id.Number);
        Assert.Single(Trial(second).Epochs);
        Assert.Equal(TrialAnswer.Lost, Report(first, 2, 0.4));
        Assert.Equal(TrialAnswer.Lost, _coordinator.Renew(first.Id));
        Assert.Equal(TrialAnswer.Lost, _coordinator.End(first.Id, new EndLine(0, SweepVerdict.Stopped, 0, 0, 0)));
        Assert.Equal(TrialAnswer.GoOn, Report(second, 2, 0.4));
        Assert.Equal(2, SweepResult.Read(Journal).Trials[0].Epochs.Count);
    }

    [Fact]
    public void Another_process_that_takes_over_knows_who_has_what()
    {
        var first = Take("a", 0);
        _coordinator.Begin(first.Id);
        var second = Take("b", 1); // has not begun it
        Restart();
        Assert.Equal(TrialAnswer.GoOn, Report(first, 1, 0.5));
        Assert.Equal(TrialAnswer.GoOn, _coordinator.Begin(second.Id));
        Assert.Equal(TrialAnswer.Lost, _coordinator.Renew(first.Id with { Worker = "b" }));
        Assert.True(Take("c", 2).Id.Number > second.Id.Number);

        // who dies together with the coordinator is missed too
        Restart();
        _time.Advance(Lease * 0.6);
        Assert.Equal(TrialAnswer.GoOn, _coordinator.Renew(first.Id));
        _time.Advance(Lease * 0.6);
        Take("d", 1);
        Take("e", 2);
        Assert.Equal(TrialAnswer.GoOn, _coordinator.Renew(first.Id));
    }

    [Fact]
    public void What_is_given_back_is_nobodys_for_another_process_too()
    {
        var first = Take("a", 0);
        _coordinator.Begin(first.Id);
        Report(first, 1, 0.5);
        _coordinator.Return(first.Id);
        Restart();
        Assert.Equal(TrialAnswer.Lost, _coordinator.Renew(first.Id));
        Assert.Single(Trial(Take("b", 0)).Epochs);
        Take("c", 1);
    }

    [Fact]
    public void A_lease_is_read_as_it_was_written()
    {
        var lease = new TrialLease(3, [new SweepEpoch(1, 9, 0.1 + 0.2, null), new SweepEpoch(2, 9, double.NaN, double.PositiveInfinity)], "a");
        var read = TrialLease.Parse(lease.ToBytes());
        Assert.Equal(lease.Epochs, read.Epochs);
        Assert.Equal((lease.Trial, lease.CheckpointFile), (read.Trial, read.CheckpointFile));
    }

    [Fact]
    public void A_call_that_is_repeated_changes_nothing()
    {
        var lease = Take("a", 0);
        for (var i = 0; i < 2; i++)
            _coordinator.Begin(lease.Id);
        for (var epoch = 1; epoch <= 3; epoch++)
            for (var i = 0; i < 2; i++)
                Assert.Equal(TrialAnswer.GoOn, Report(lease, epoch, 0.5));
        Restart();
        Report(lease, 3, 0.5);
        End(lease, 0.5);
        Assert.Equal(TrialAnswer.Lost, End(lease, 0.5));
        Assert.Equal(
            ["begin", "end", "epoch", "epoch", "epoch", "lease", "sweep"],
            File.ReadAllLines(Journal).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("kind").GetString()).Order());
    }

    [Fact]
    public void Who_waits_at_a_rung_for_a_trial_without_a_worker_goes_on_with_that()
    {
        WorkLease[] leases = [Take("a", 0), Take("b", 1), Take("c", 2)];
        foreach (var lease in leases)
            _coordinator.Begin(lease.Id);
        Assert.Equal(TrialAnswer.Wait, Report(leases[1], 1, 0.4));
        Assert.Equal(TrialAnswer.Wait, Report(leases[2], 1, 0.3));
        for (var i = 0; i < 3; i++)
        {
            _time.Advance(Lease * 0.4);
            // all that live wait: without this nobody would ever go on
            Assert.Equal(i < 2 ? TrialAnswer.Wait : TrialAnswer.Lost, _coordinator.Renew(leases[1].Id));
            if (i < 2)
                Assert.Equal(TrialAnswer.Wait, _coordinator.Renew(leases[2].Id));
        }

        var again = Take("b", 0);
        _coordinator.Begin(again.Id);
        Assert.Equal(TrialAnswer.Lost, _coordinator.Renew(leases[2].Id)); // it goes on with trial 1
        var second = Take("c", 1);
        Assert.Equal(TrialAnswer.Wait, _coordinator.Renew(second.Id));
        Assert.Equal(TrialAnswer.GoOn, Report(again, 1, 0.5));
        Assert.Equal(TrialAnswer.GoOn, _coordinator.Renew(second.Id));
    }

    [Fact]
    public void What_comes_after_the_trials_is_given_out_once_and_then_all_is_over()
    {
        _trials = 2;
        Restart();
        var defaults = Take("a", 0);
        _coordinator.Begin(defaults.Id);
        var other = Take("b", 1);
        _coordinator.Begin(other.Id);
        Assert.Null(_coordinator.Take("c").Lease);
        End(defaults, 0.5);
        Assert.Null(_coordinator.Take("c").Lease);
        End(other, 0.4);

        var confirmation = Take("c", LeaseLine.Confirmation);
        Assert.Equal([1], confirmation.Trials!);
        Assert.Null(_coordinator.Take("a").Lease);
        _coordinator.End(confirmation.Id, null); // it could not be fitted
        var last = Take("a", LeaseLine.Finishing);
        Assert.Equal([1], last.Trials!);
        Assert.Equal(0.4, last.Loss);
        Assert.Equal(SweepState.Running, _coordinator.State);
        _coordinator.End(last.Id, new FinishLine([1], "sweep.zip", null, 0));
        Assert.Equal(SweepState.Finished, _coordinator.State);
        Restart();
        Assert.Equal(new LeaseAnswer(SweepState.Finished), _coordinator.Take("a"));

        // with more trials it goes on
        _trials = 3;
        Restart();
        Assert.Equal(SweepState.Running, _coordinator.State);
        Take("a", 2);
    }

    [Fact]
    public void The_end_of_the_budget_ends_all_but_lets_them_finish()
    {
        var lease = Take("a", 0);
        _coordinator.Begin(lease.Id);
        _stop.Cancel();
        Assert.Equal(TrialAnswer.Over, _coordinator.Renew(lease.Id));
        Assert.Null(_coordinator.Take("b").Lease);
        Keep(0);
        _coordinator.End(lease.Id, new EndLine(0, SweepVerdict.OutOfTime, 1, 0, 0) { Loss = 0.5 });
        Take("a", LeaseLine.Finishing);
    }

    [Fact]
    public void A_sweep_without_any_model_fails_and_tells_why()
    {
        _trials = 1;
        Restart();
        var lease = Take("a", 0);
        _coordinator.Begin(lease.Id);
        _coordinator.End(lease.Id, new EndLine(0, SweepVerdict.Failed, 1, 0, 0) { Error = "It is late." });
        Assert.Equal(SweepState.Failed, _coordinator.Take("a").State);
        Assert.Contains("It is late.", _coordinator.Failure, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Whoever_dies_and_whenever_the_trials_end_as_they_would_on_one_machine(int seed)
    {
        _trials = 12;
        Restart();
        var random = new Random(seed);
        var workers = Enumerable.Range(0, 3).Select(number => new Worker($"{number}")).ToArray();
        var (deaths, restarts) = (0, 0);
        while (_coordinator.State is SweepState.Running)
        {
            var number = random.Next(workers.Length);
            if (random.Next(25) == 0)
            {
                workers[number] = new Worker($"{number} after {++deaths}");
                _time.Advance(Lease * 0.4);
            }
            else if (random.Next(25) == 0)
            {
                restarts++;
                Restart();
            }
            else
            {
                workers[number].Step(this);
                if (random.Next(2) == 0)
                    _time.Advance(Lease * 0.02);
            }
        }

        Assert.True(deaths > 0 && restarts > 0);
        var result = SweepResult.Read(Journal);
        List<double>[] earlier = [[], []];
        for (var trial = 0; trial < _trials; trial++)
        {
            var expected = Epochs;
            for (var rung = 0; rung < 2 && expected == Epochs; rung++)
            {
                var epoch = rung == 0 ? 1 : 3;
                var best = Enumerable.Range(1, epoch).Min(e => LossOf(trial, e));
                if (trial > 0 && !SuccessiveHalving.GoesOn(best, earlier[rung]))
                    expected = epoch;
                earlier[rung].Add(best);
            }

            Assert.Equal(Enumerable.Range(1, expected), result.Trials[trial].Epochs.Select(epoch => epoch.Epoch));
            Assert.Equal(expected == Epochs ? SweepVerdict.Completed : SweepVerdict.Stopped, result.Trials[trial].Verdict);
        }

        Assert.Equal(_trials, File.ReadAllLines(Journal).Count(line => line.StartsWith("{\"kind\":\"end\"", StringComparison.Ordinal)));
    }

    private static double LossOf(int trial, int epoch) => 0.1 + (trial * 37 % 12 + 1.0) / (epoch + 1);

    private static TrialLease Trial(WorkLease lease) => TrialLease.Parse(lease.Trial);

    private WorkLease Take(string worker, int part)
    {
        var lease = Assert.IsType<WorkLease>(_coordinator.Take(worker).Lease);
        Assert.Equal(part, lease.Part);
        return lease;
    }

    private TrialAnswer Report(WorkLease lease, int epoch, double loss)
    {
        Keep(lease.Part, "checkpoint");
        return _coordinator.Report(lease.Id, epoch - 1, new EpochLine(lease.Part, epoch, Epochs, loss, loss, 0));
    }

    private TrialAnswer End(WorkLease lease, double loss)
    {
        Keep(lease.Part);
        return _coordinator.End(lease.Id, new EndLine(lease.Part, SweepVerdict.Completed, 1, 0, 0) { Loss = loss });
    }

    private void Keep(int trial, string extension = "zip") =>
        File.WriteAllText(Path.Combine(Journal + ".files", $"trial-{trial:0000}.{extension}"), "");

    private void Restart()
    {
        _coordinator.Dispose();
        _coordinator = Open();
    }

    private Coordinator Open()
    {
        var options = new SweepOptions { MaxTrials = _trials, JournalFile = Journal, StopToken = _stop.Token };
        var journal = SweepJournal.Open(Journal, new SweepLine(SweepLine.CurrentVersion, 7, SweepMetric.LogLoss, "", ""));
        var models = new KeptModels(1, journal.Folder, _ml, _ml.Data.LoadFromEnumerable(Array.Empty<Row>()).Schema);
        var queue = new SweepQueue(options, journal, models, _ => new Dictionary<string, System.Text.Json.Nodes.JsonNode?>(), TimeSpan.Zero);
        return new Coordinator(queue, new WorkIdentity("", "", ""), Lease, _time);
    }

    /// <summary>A worker that takes a step whenever it is told to.</summary>
    private sealed class Worker(string name)
    {
        private WorkLease? _lease;
        private int _epoch;
        private bool _waits;

        public void Step(CoordinatorTests test)
        {
            var coordinator = test._coordinator;
            if (_lease is null)
            {
                _lease = coordinator.Take(name).Lease;
                if (_lease is not { Part: >= 0 } lease)
                    return;
                _epoch = Trial(lease).Epochs.Count;
                Heed(test, _epoch > 0 ? coordinator.Renew(lease.Id) : coordinator.Begin(lease.Id));
            }
            else if (_lease.Part < 0)
            {
                coordinator.End(_lease.Id, _lease.Part == LeaseLine.Finishing ? new FinishLine([0], null, null, 0) : null);
                _lease = null;
            }
            else if (_waits)
            {
                Heed(test, coordinator.Renew(_lease.Id));
            }
            else if (_epoch == Epochs)
            {
                test.End(_lease, LossOf(_lease.Part, Epochs));
                _lease = null;
            }
            else
            {
                _epoch++;
                Heed(test, test.Report(_lease, _epoch, LossOf(_lease.Part, _epoch)));
            }
        }

        private void Heed(CoordinatorTests test, TrialAnswer answer)
        {
            _waits = answer is TrialAnswer.Wait;
            if (answer is TrialAnswer.Stop)
                test._coordinator.End(_lease!.Id, new EndLine(_lease.Part, SweepVerdict.Stopped, 1, 0, 0));
            if (answer is TrialAnswer.Stop or TrialAnswer.Lost)
                _lease = null;
        }
    }

    private sealed class MadeUpTime : TimeProvider
    {
        private long _now;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _now;

        public void Advance(TimeSpan time) => _now += time.Ticks;
    }

    private sealed class Row
    {
        public float Value { get; set; }
    }
}
