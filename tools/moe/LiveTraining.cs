using System.Diagnostics;
using Microsoft.ML.Moe;
using Microsoft.ML.Moe.Training;
using Spectre.Console;

namespace MoeTool;

/// <summary>
/// Shows how far training is. Ctrl+C ends it and keeps the best epoch so far; a second Ctrl+C ends the program.
/// </summary>
/// <param name="console">Where to.</param>
internal sealed class LiveTraining(ToolConsole console) : IDisposable
{
    private const string Description = "Training (Ctrl+C ends it)";
    private readonly CancellationTokenSource _stop = new();
    private readonly Stopwatch _clock = new();
    private volatile Estimate? _last;

    /// <summary>Cancelled by Ctrl+C.</summary>
    public CancellationToken StopToken => _stop.Token;

    /// <summary>What the bar shows after so much time, in place of the epochs: the share that is done, if known, and a text.</summary>
    public Func<TimeSpan, (double? Share, string Text)>? Status { get; set; }

    /// <summary>How long <see cref="Run"/> took.</summary>
    public TimeSpan Elapsed => _clock.Elapsed;

    /// <summary>Runs the training, with a progress bar where there is a terminal to show it.</summary>
    public T Run<T>(Func<T> fit)
    {
        Console.CancelKeyPress += OnCtrlC;
        _clock.Restart();
        try
        {
            return console.IsLive ? RunWithBar(fit) : fit();
        }
        finally
        {
            _clock.Stop();
            Console.CancelKeyPress -= OnCtrlC;
        }
    }

    /// <summary>What the last step has told; null before the first.</summary>
    internal Estimate? Last => _last;

    /// <summary>Has a training's options tell this how far it is, and end it where that is asked for.</summary>
    public void Follow(MoeTrainerOptions options) => (options.StepCompleted, options.StopToken) = (OnStep, StopToken);

    /// <summary>Ends training and keeps the best epoch; false when that was asked for before.</summary>
    internal bool Stop()
    {
        if (_stop.IsCancellationRequested)
            return false;
        console.Line("Ending training. Ctrl+C again ends the program.");
        _stop.Cancel();
        return true;
    }

    public void Dispose() => _stop.Dispose();

    /// <summary>How much of the training is done by now, going by the last step's estimate; null before the first step.</summary>
    internal static double? ShareDone(Estimate? last, TimeSpan now) =>
        TimeLeft(last, now) is { } left && now + left is var all && all > TimeSpan.Zero ? now / all : null;

    /// <summary>How long the training goes on, going by the last step's estimate; null before the first step.</summary>
    internal static TimeSpan? TimeLeft(Estimate? last, TimeSpan now)
    {
        if (last is null)
            return null;
        var left = last.Left - (now - last.At);
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

    private void OnStep(StepReport report) => _last = new Estimate(report.TimeLeft, _clock.Elapsed);

    private T RunWithBar<T>(Func<T> fit) => console.Output.Progress()
        .AutoClear(true)
        .Columns(new SpinnerColumn(), new TaskDescriptionColumn(), new ProgressBarColumn(), new ElapsedTimeColumn())
        .Start(context =>
        {
            var bar = context.AddTask(Description, maxValue: 1);
            bar.IsIndeterminate = true;
            using var timer = new Timer(_ => Update(bar), null, TimeSpan.Zero, TimeSpan.FromMilliseconds(250));
            return fit();
        });

    private void Update(ProgressTask bar)
    {
        if (Status is { } status)
        {
            (var done, bar.Description) = status(_clock.Elapsed);
            bar.IsIndeterminate = done is null;
            bar.Value = Math.Min(done ?? 0, 1);
            return;
        }

        var (last, now) = (_last, _clock.Elapsed);
        if (ShareDone(last, now) is not { } share || TimeLeft(last, now) is not { } left)
            return;
        bar.IsIndeterminate = false;
        bar.Value = Math.Min(share, 1);
        bar.Description = $"{Description}, {TrainingClock.ToText(left)}";
    }

    private void OnCtrlC(object? sender, ConsoleCancelEventArgs press)
    {
        press.Cancel = Stop();
        if (!press.Cancel)
            console.Output.Cursor.Show();
    }

    /// <summary>What a step tells of the rest.</summary>
    /// <param name="Left">The time that is left.</param>
    /// <param name="At">When that was told, from the beginning of the training.</param>
    internal sealed record Estimate(TimeSpan Left, TimeSpan At);
}
