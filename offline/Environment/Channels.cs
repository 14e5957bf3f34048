using System.Diagnostics;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Offline;

internal static class Channels
{
    internal static IChannel Start(IExceptionContext owner, string fullName, Action<string, ChannelMessage> listener) =>
        new Channel(owner, fullName, listener);

    internal static IPipe<TMessage> StartPipe<TMessage>(IExceptionContext owner, string fullName) => new Pipe<TMessage>(owner, fullName);

    internal static IProgressChannel StartProgress() => new ProgressChannel();
}

file class Pipe<TMessage>(IExceptionContext owner, string fullName) : IPipe<TMessage>
{
    public string ContextDescription => fullName;

    public TException Process<TException>(TException ex)
        where TException : Exception
    {
        owner.Process(ex);
        if (ex != null)
            ex.Data["Phase"] = fullName;
        return ex;
    }

    public virtual void Send(TMessage msg)
    {
    }

    public virtual void Dispose() => GC.SuppressFinalize(this);
}

file sealed class Channel : Pipe<ChannelMessage>, IChannel
{
    private readonly string _fullName;
    private readonly Action<string, ChannelMessage> _listener;
    private readonly long _start = Stopwatch.GetTimestamp();
    private bool _disposed;

    public Channel(IExceptionContext owner, string fullName, Action<string, ChannelMessage> listener)
        : base(owner, fullName)
    {
        _fullName = fullName;
        _listener = listener;
        Trace(MessageSensitivity.None, "Channel started");
    }

    public override void Send(ChannelMessage msg) => _listener(_fullName, msg);

    public void Trace(MessageSensitivity sensitivity, string fmt) => Send(new(ChannelMessageKind.Trace, sensitivity, fmt));

    public void Trace(MessageSensitivity sensitivity, string fmt, params object[] args) =>
        Send(new(ChannelMessageKind.Trace, sensitivity, fmt, args));

    public void Error(MessageSensitivity sensitivity, string fmt) => Send(new(ChannelMessageKind.Error, sensitivity, fmt));

    public void Error(MessageSensitivity sensitivity, string fmt, params object[] args) =>
        Send(new(ChannelMessageKind.Error, sensitivity, fmt, args));

    public void Warning(MessageSensitivity sensitivity, string fmt) => Send(new(ChannelMessageKind.Warning, sensitivity, fmt));

    public void Warning(MessageSensitivity sensitivity, string fmt, params object[] args) =>
        Send(new(ChannelMessageKind.Warning, sensitivity, fmt, args));

    public void Info(MessageSensitivity sensitivity, string fmt) => Send(new(ChannelMessageKind.Info, sensitivity, fmt));

    public void Info(MessageSensitivity sensitivity, string fmt, params object[] args) =>
        Send(new(ChannelMessageKind.Info, sensitivity, fmt, args));

    public override void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        Trace(MessageSensitivity.None, "Channel finished. Elapsed {0:c}.", Stopwatch.GetElapsedTime(_start));
        Trace(MessageSensitivity.None, "Channel disposed");
        base.Dispose();
    }
}

/// <summary>Checks what is reported; nothing shows it, as with the real MLContext, whose log carries channels only.</summary>
file sealed class ProgressChannel : IProgressChannel
{
    private ProgressHeader _header = new();
    private bool _disposed;

    public void SetHeader(ProgressHeader header, Action<IProgressEntry> fillAction) => _header = header;

    public void Checkpoint(params double?[] values)
    {
        Contracts.Check(!_disposed, "Can't report checkpoints after disposing");
        var most = _header.MetricNames.Count + 2 * _header.UnitNames.Count;
        Contracts.Check((values?.Length ?? 0) <= most, "Too many values provided in Checkpoint");
    }

    public IProgressChannel StartProgressChannel(string name) => new ProgressChannel();

    public void Dispose() => _disposed = true;
}
