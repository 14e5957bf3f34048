using System.Diagnostics;
using System.Globalization;
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
    private volatile EpochReport? _lastEpoch;
    private TimeSpan _lastEpochEnd;

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

    /// <summary>Is told of each epoch's end.</summary>
    public void OnEpoch(EpochReport report)
    {
        _lastEpochEnd = _clock.Elapsed;
        _lastEpoch = report;
    }

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

    /// <summary>
    /// How much of the training is done, going by the time that the epochs before took; null before the first has ended.
    /// </summary>
    internal static double? ShareDone(EpochReport? lastEpoch, TimeSpan lastEpochEnd, TimeSpan now)
    {
        if (lastEpoch is null)
            return null;
        var epochsSince = (now - lastEpochEnd) / (lastEpochEnd / lastEpoch.Epoch);
        return (lastEpoch.Epoch + Math.Min(epochsSince, 0.99)) / lastEpoch.Epochs;
    }

    /// <summary>How long the training goes on, going by the last report; null before the first.</summary>
    internal static TimeSpan? TimeLeft(EpochReport? lastEpoch, TimeSpan lastEpochEnd, TimeSpan now)
    {
        if (lastEpoch is null)
            return null;
        var left = lastEpoch.TimeLeft - (now - lastEpochEnd);
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

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

        if (ShareDone(_lastEpoch, _lastEpochEnd, _clock.Elapsed) is not { } share)
            return;
        bar.IsIndeterminate = false;
        bar.Value = Math.Min(share, 1);
        if (TimeLeft(_lastEpoch, _lastEpochEnd, _clock.Elapsed) is { } left)
            bar.Description = string.Create(CultureInfo.InvariantCulture, $"{Description}, {(int)left.TotalHours}:{left:mm\\:ss} left");
    }

    private void OnCtrlC(object? sender, ConsoleCancelEventArgs press)
    {
        press.Cancel = Stop();
        if (!press.Cancel)
            console.Output.Cursor.Show();
    }
}
