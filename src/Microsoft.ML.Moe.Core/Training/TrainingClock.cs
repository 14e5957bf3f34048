using System.Diagnostics;
using System.Globalization;

namespace Microsoft.ML.Moe.Training;

/// <summary>How long steps and evaluations of a training take, and so how long it will go on.</summary>
internal sealed class TrainingClock
{
    private readonly Stopwatch _training = new();
    private readonly Stopwatch _evaluating = new();
    private int _evaluations;

    /// <summary>Steps that were timed.</summary>
    public int Steps { get; set; }

    /// <summary>Time that they took.</summary>
    public TimeSpan Training => _training.Elapsed;

    /// <summary>Goes on to time steps.</summary>
    public void Continue() => _training.Start();

    /// <summary>Times no steps until <see cref="Continue"/>.</summary>
    public void Pause() => _training.Stop();

    /// <summary>Times an evaluation.</summary>
    public T Evaluate<T>(Func<T> evaluate)
    {
        _evaluating.Start();
        var result = evaluate();
        _evaluating.Stop();
        _evaluations++;
        return result;
    }

    /// <summary>
    /// The time that some more steps and evaluations take, by that of those before; an evaluation counts nothing before the first.
    /// </summary>
    public TimeSpan Left(int steps, int evaluations) =>
        Training * ((double)steps / Math.Max(1, Steps)) + _evaluating.Elapsed * ((double)evaluations / Math.Max(1, _evaluations));

    /// <summary>A time that is left, for people: hours, minutes and seconds.</summary>
    public static string ToText(TimeSpan left) =>
        string.Create(CultureInfo.InvariantCulture, $"{(int)left.TotalHours}:{left:mm\\:ss} left");
}
