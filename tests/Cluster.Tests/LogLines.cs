using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Microsoft.ML.Moe.Tests.Cluster;

/// <summary>What a silo has logged.</summary>
internal sealed class LogLines : ILoggerProvider, ILogger
{
    private static readonly TimeSpan Most = TimeSpan.FromMinutes(5);
    private readonly Lock _lock = new();
    private readonly List<string> _lines = [];
    private TaskCompletionSource _more = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The first line with a text, which may be still to come, but has to within five minutes.</summary>
    public async Task<string> FirstAsync(string text)
    {
        var waited = Stopwatch.StartNew();
        while (true)
        {
            Task more;
            lock (_lock)
            {
                if (_lines.Find(line => line.Contains(text, StringComparison.Ordinal)) is { } found)
                    return found;
                more = _more.Task;
            }

            await more.WaitAsync(waited.Elapsed < Most ? Most - waited.Elapsed : TimeSpan.Zero);
        }
    }

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        TaskCompletionSource more;
        lock (_lock)
        {
            _lines.Add(formatter(state, exception));
            (more, _more) = (_more, new(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        more.SetResult();
    }

    public void Dispose()
    {
    }
}
