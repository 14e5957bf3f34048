using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.ML.Moe.Sweeps.Journal;
using Microsoft.ML.Moe.Sweeps.Running;

namespace Microsoft.ML.Moe.Cluster;

/// <summary>
/// The coordinator as a grain. It has no state of its own: what there is to know stands in the journal. The table is read on a thread of
/// its own, and callers ask again until that is done.
/// </summary>
internal sealed class SweepGrain(IServiceProvider services, ILogger<SweepGrain> logger, TimeProvider? time = null) : Grain, ISweepGrain
{
    /// <summary>How long a process that has gone may still seem to hold the journal.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private WorkRegistry? _registry;
    private TimeSpan _lease;
    private Task<Coordinator>? _opening;
    private long _openingSince;
    private Coordinator? _coordinator;
    private string? _failure;
    private bool _isAlone;
    private string _journal = "";

    private string Name => this.GetPrimaryKeyString();

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _openingSince = _time.GetTimestamp();
        try
        {
            _registry = services.GetService<WorkRegistry>() ?? throw new InvalidOperationException(
                $"A silo does not know sweeps: call {nameof(MoeClusterHosting.AddMoeSweeps)} in all of them.");
            _lease = services.GetRequiredService<IOptions<MoeClusterOptions>>().Value.LeaseDuration;
            _journal = _registry.JournalOf(Name);
            if (IsUnderWay())
                Open();
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            Fail(e.Message);
        }

        return Task.CompletedTask;
    }

    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        if (_opening is not null)
            _ = await Task.WhenAny(_opening, Task.Delay(Timeout.Infinite, cancellationToken));
        if (_opening is { IsCompletedSuccessfully: true })
            (await _opening).Dispose();
    }

    public Task StartAsync()
    {
        if (_coordinator is null && _opening is null && _failure is null)
            Open();
        return Task.CompletedTask;
    }

    public Task<SweepStatus> StatusAsync()
    {
        var coordinator = Ready();
        var state = _failure is not null ? SweepState.Failed
            : coordinator is not null ? coordinator.State
            : _opening is not null ? SweepState.Preparing
            : SweepState.Idle;
        var file = new FileInfo(_journal.Length > 0 ? _journal : "-");
        return Task.FromResult(new SweepStatus(
            state,
            _failure ?? coordinator?.Failure,
            file.Exists ? file.Length : 0,
            $"{Environment.MachineName} {Environment.ProcessId}",
            _journal,
            _isAlone));
    }

    public async Task<byte[]> JournalAsync()
    {
        await using var stream = new FileStream(_journal, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var bytes = new byte[stream.Length];
        return bytes[..await stream.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false)];
    }

    public Task<LeaseAnswer> TakeAsync(string worker) => Task.FromResult(Ask(
        coordinator => coordinator.Take(worker), new LeaseAnswer(_failure is null ? SweepState.Idle : SweepState.Failed)));

    public Task<TrialAnswer> BeginAsync(LeaseId lease) => Answer(coordinator => coordinator.Begin(lease));

    public Task<TrialAnswer> ReportAsync(LeaseId lease, int index, byte[] line) =>
        Answer(coordinator => coordinator.Report(lease, index, (EpochLine)Parse(line)));

    public Task<TrialAnswer> RenewAsync(LeaseId lease) => Answer(coordinator => coordinator.Renew(lease));

    public Task<TrialAnswer> EndAsync(LeaseId lease, byte[]? line) =>
        Answer(coordinator => coordinator.End(lease, line is null ? null : Parse(line)));

    public Task ReturnAsync(LeaseId lease, string? refusal)
    {
        if (refusal is not null)
            Messages.Refused(logger, lease.Worker, Name, refusal);
        Ready()?.Return(lease);
        return Task.CompletedTask;
    }

    public Task FailAsync(LeaseId lease, string message)
    {
        Ready()?.Fail(message);
        return Task.CompletedTask;
    }

    /// <summary>Whether the sweep was begun and has not ended, so that it goes on by itself where another process has left it.</summary>
    private bool IsUnderWay()
    {
        try
        {
            return File.Exists(_journal) && SweepHistory.Read(_journal) is { Sweep: not null, Finish: null };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return true; // opening it will tell what is wrong
        }
    }

    private void Open()
    {
        var (registry, name, lease, clock) = (_registry!, Name, _lease, _time);
        _opening = Task.Factory.StartNew(
            () =>
            {
                var (work, identity) = registry.Prepare(name);
                return new Coordinator(work.Open(), identity, lease, clock, work.HasWinner)
                {
                    Expired = (part, worker) => Messages.Expired(logger, worker, Messages.PartOf(part), name),
                };
            },
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
    }

    /// <summary>The coordinator; null as long as it is not ready.</summary>
    private Coordinator? Ready()
    {
        if (_coordinator is not null || _opening is not { IsCompleted: true })
            return _coordinator;
        if (_opening.IsCompletedSuccessfully)
        {
            _coordinator = _opening.Result;
            Messages.Coordinates(logger, Name, _coordinator.Trials);
        }
        else if (_opening.Exception!.InnerException is IOException and not FileNotFoundException and not DirectoryNotFoundException
            && _time.GetElapsedTime(_openingSince) < Patience)
        {
            Open();
        }
        else if (_failure is null)
        {
            var error = _opening.Exception.InnerException!;
            Fail(error.Message);
            // where silos differ, one that fits is to coordinate: the next time it may be that one
            _isAlone = SweepJournal.IsOfAnother(error);
            if (_isAlone)
            {
                // or this silo's workers would have it made here again whenever they ask
                _registry!.StandBack(Name);
                DeactivateOnIdle();
            }
        }

        return _coordinator;
    }

    private Task<TrialAnswer> Answer(Func<Coordinator, TrialAnswer> ask) =>
        Task.FromResult(Ask(ask, _failure is null ? TrialAnswer.NotReady : TrialAnswer.Lost));

    private T Ask<T>(Func<Coordinator, T> ask, T otherwise)
    {
        if (Ready() is not { } coordinator || _failure is not null)
            return otherwise;
        try
        {
            return ask(coordinator);
        }
        catch (JournalException e)
        {
            Fail(e.Message);
            throw;
        }
    }

    private void Fail(string reason)
    {
        _failure = reason;
        Messages.Failed(logger, Name, reason);
    }

    private static JournalLine Parse(byte[] line) => JournalLine.Parse(line.AsSpan().TrimEnd((byte)'\n'));
}
