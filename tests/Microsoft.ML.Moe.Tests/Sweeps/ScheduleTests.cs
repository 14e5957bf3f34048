using Microsoft.ML.Moe.Sweeps.Schedule;

namespace Microsoft.ML.Moe.Tests.Sweeps;

/// <summary>When trials are compared, and which of them go on.</summary>
public sealed class ScheduleTests
{
    [Theory]
    [InlineData(1, new[] { 0, 0 })] // with one epoch there is nothing to save
    [InlineData(2, new[] { 1, 1 })]
    [InlineData(4, new[] { 1, 2 })]
    [InlineData(9, new[] { 1, 3 })]
    [InlineData(10, new[] { 2, 4 })]
    [InlineData(27, new[] { 3, 9 })]
    public void Rungs_are_at_a_ninth_and_a_third_of_the_schedule(int epochs, int[] expected)
    {
        var reached = Enumerable.Range(1, epochs).SelectMany(epoch => SuccessiveHalving.ReachedBy(epoch, epochs).Select(rung => (rung, epoch))).ToArray();
        for (var rung = 0; rung < expected.Length; rung++)
            Assert.Equal(expected[rung] == 0 ? [] : [expected[rung]], reached.Where(at => at.rung == rung).Select(at => at.epoch));
    }

    [Fact]
    public void A_trial_goes_on_among_the_best_third_of_those_before_it()
    {
        Assert.True(SuccessiveHalving.GoesOn(0.5, []));
        Assert.False(SuccessiveHalving.GoesOn(0.6, [0.5])); // one of two at most, the best
        Assert.True(SuccessiveHalving.GoesOn(0.4, [0.5]));
        Assert.False(SuccessiveHalving.GoesOn(0.5, [0.5])); // alike: the earlier is the better
        Assert.True(SuccessiveHalving.GoesOn(0.15, [0.1, 0.2, 0.3, 0.4, 0.5])); // second of six
        Assert.False(SuccessiveHalving.GoesOn(0.25, [0.1, 0.2, 0.3, 0.4, 0.5]));
        Assert.False(SuccessiveHalving.GoesOn(double.PositiveInfinity, [0.1]));
    }

    [Fact]
    public void Decisions_are_the_same_whatever_the_order_of_arrival()
    {
        double[] losses = [0.50, 0.40, 0.45, 0.30, 0.60, 0.35, 0.20, 0.33, 0.10];
        var expected = losses.Select((loss, trial) => trial == 0 || SuccessiveHalving.GoesOn(loss, losses[..trial])).ToArray();
        for (var seed = 0; seed < 20; seed++)
        {
            var order = Enumerable.Range(0, losses.Length).ToArray();
            new Random(seed).Shuffle(order);
            var board = new RungBoard();
            var decided = new bool[losses.Length];
            // each waits in a thread of its own for those with smaller numbers, whenever they come
            var threads = order.Select(trial => new Thread(() => decided[trial] = Report(board, 0, trial, losses[trial]))).ToArray();
            foreach (var thread in threads)
                thread.Start();
            foreach (var thread in threads)
                thread.Join();
            Assert.Equal(expected, decided);
        }
    }

    [Fact]
    public void A_trial_that_has_ended_is_waited_for_no_more_and_counts_where_it_was()
    {
        var board = new RungBoard();
        board.Record(0, 0, 0.2);
        board.End(0);
        board.End(1);
        Assert.False(Report(board, 0, 2, 0.3));
        Assert.True(Report(board, 1, 2, 0.3));
        board.Record(0, 4, 0.1);
        Assert.Null(board.GoesOn(0, 4)); // trial 3 may still come
        board.End(3);
        Assert.True(board.GoesOn(0, 4));
    }

    [Fact]
    public async Task Who_waits_goes_on_when_the_sweep_ends()
    {
        using var stop = new CancellationTokenSource();
        var board = new RungBoard();
        var waiting = Task.Run(() => Report(board, 0, 1, 0.9, stop.Token));
        await stop.CancelAsync();
        Assert.True(await waiting);
    }

    private static bool Report(RungBoard board, int rung, int trial, double loss, CancellationToken stop = default)
    {
        board.Record(rung, trial, loss);
        return board.Await(rung, trial, stop);
    }
}
