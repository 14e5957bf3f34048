using System.Globalization;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Training;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.Trainers;

/// <summary>Reports the progress of training to ML.NET's progress channel, to the log and to the caller, and checks whether training was cancelled.</summary>
internal sealed class FitObserver : ITrainingObserver
{
    private static readonly string[] Units = ["epochs", "steps or rows", "seconds left"];
    private static readonly TimeSpan BetweenLines = TimeSpan.FromMinutes(1);

    private readonly IHost _host;
    private readonly IChannel _channel;
    private readonly IProgressChannel _progress;
    private readonly MoeTrainerOptions _options;
    private readonly TimeProvider _time;
    private volatile Tuple<int, int, int> _now = new(0, 0, 0);
    private long _secondsLeft;
    private TimeSpan _left;
    private long _lineWritten;
    private (int Steps, double Loss) _sinceLine;

    public FitObserver(IHost host, IChannel channel, IProgressChannel progress, MoeTrainerOptions options, TimeProvider? time = null)
    {
        _time = time ?? TimeProvider.System;
        _lineWritten = _time.GetTimestamp();
        _host = host;
        _channel = channel;
        _progress = progress;
        _options = options;
        string[] metrics =
            ["Training loss", "Validation loss", options.MeasuresAccuracy ? "Validation accuracy" : "Validation error", "Rows per second"];
        progress.SetHeader(new ProgressHeader(metrics, Units), entry =>
        {
            // asked by another thread
            var (epoch, step, steps) = _now;
            entry.SetProgress(0, epoch);
            entry.SetProgress(1, step, steps);
            entry.SetProgress(2, Volatile.Read(ref _secondsLeft));
        });
    }

    /// <summary>Whether there is something that was learned: a step, or a stage without steps.</summary>
    public bool HasLearned { get; private set; }

    public void OnStep(int epoch, int step, int steps, double loss)
    {
        HasLearned = true;
        _now = new(epoch, step, steps);
        _sinceLine = (_sinceLine.Steps + 1, _sinceLine.Loss + loss);
        if (step < steps && _time.GetElapsedTime(_lineWritten) >= BetweenLines)
            WriteLine(epoch, step, steps);
        _options.StepCompleted?.Invoke(new StepReport(epoch, step, steps, loss, _left));
        Environments.ThrowIfCanceled(_host);
    }

    public void OnTimeLeft(TimeSpan left)
    {
        _left = left;
        Volatile.Write(ref _secondsLeft, (long)left.TotalSeconds);
    }

    public void OnEvaluation(EvaluationReport report) => _options.EvaluationCompleted?.Invoke(report);

    public void OnEpoch(EpochReport report)
    {
        _progress.Checkpoint(
            report.TrainingLoss, report.ValidationLoss, report.ValidationAccuracy, report.RowsPerSecond, report.Epoch, null);
        _channel.Info(MessageSensitivity.None, Describe(report));
        BeginLine();
        _options.EpochCompleted?.Invoke(report);
    }

    public void OnResumed(EpochReport last) => _options.EpochRecalled?.Invoke(last);

    public void OnProgress(string stage, int done, int total)
    {
        HasLearned |= done >= total;
        _now = new(0, done, total);
        Environments.ThrowIfCanceled(_host);
    }

    public void OnMessage(string message) => _channel.Info(MessageSensitivity.None, message);

    public void OnWarning(string message) => _channel.Warning(MessageSensitivity.None, message);

    /// <summary>Tells within an epoch how far it is: one may take hours, and there may be but one.</summary>
    private void WriteLine(int epoch, int step, int steps)
    {
        _channel.Info(MessageSensitivity.None, string.Create(
            CultureInfo.InvariantCulture,
            $"Epoch {epoch}, step {step}/{steps}: training loss {_sinceLine.Loss / _sinceLine.Steps:F4}, {TrainingClock.ToText(_left)}."));
        BeginLine();
    }

    private void BeginLine() => (_lineWritten, _sinceLine) = (_time.GetTimestamp(), default);

    private string Describe(EpochReport report)
    {
        var validation = report is { ValidationLoss: { } loss, ValidationAccuracy: { } metric }
            ? string.Create(
                CultureInfo.InvariantCulture,
                $", validation loss {loss:F4}, {(_options.MeasuresAccuracy ? $"accuracy {metric:P2}" : $"mean absolute error {metric:G4}")}"
                + $"{(report.IsBest ? " (best)" : "")}")
            : "";
        var score = report.Score is { } value ? string.Create(CultureInfo.InvariantCulture, $", score {value:F4}") : "";
        var left = report.Epoch < report.Epochs ? $", {TrainingClock.ToText(report.TimeLeft)}" : "";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"Epoch {report.Epoch}/{report.Epochs}: training loss {report.TrainingLoss:F4}{validation}{score}, {report.RowsPerSecond:F0} rows/s")
            + $"{left}.";
    }
}
