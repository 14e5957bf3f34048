using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.ML.Moe.Sweeps.Journal;
using Microsoft.ML.Moe.Sweeps.Running;

namespace Microsoft.ML.Moe.Cluster;

/// <summary>The workers of a silo: each asks the coordinators in turn for something to do, and does it on a thread of its own.</summary>
internal sealed class WorkerService(
    WorkRegistry registry, IGrainFactory grains, IOptions<MoeClusterOptions> options, ILogger<WorkerService> logger) : BackgroundService
{
    private readonly MoeClusterOptions _options = options.Value;

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(Enumerable.Range(0, _options.Workers).Select(number =>
        Task.Factory.StartNew(
            () => WorkThrough($"{Environment.MachineName} {Environment.ProcessId} {number} {Guid.NewGuid():N}", stoppingToken),
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default)));

    private void WorkThrough(string worker, CancellationToken stopping)
    {
        var names = registry.Names.ToList();
        while (!stopping.IsCancellationRequested)
        {
            var isAtWork = false;
            foreach (var name in names.ToArray())
            {
                if (registry.StandsBack(name))
                    continue;
                var calls = new SweepCalls(name, grains.GetGrain<ISweepGrain>(name), logger);
                if (!calls.Try(grain => grain.TakeAsync(worker), stopping, out var answer) || answer.Lease is not { } lease)
                    continue;
                isAtWork = true;
                if (WorkOn(name, calls, lease, stopping) is not { } refusal)
                    continue;
                names.Remove(name);
                Messages.Refused(logger, worker, name, refusal);
                calls.Try(grain => Done(grain.ReturnAsync(lease.Id, refusal)), stopping, out _);
            }

            if (!isAtWork)
                stopping.WaitHandle.WaitOne(_options.PollInterval);
        }
    }

    /// <summary>Does what a lease says.</summary>
    /// <returns>Why this worker cannot do it; null where it has, or has tried.</returns>
    private string? WorkOn(string name, SweepCalls calls, WorkLease lease, CancellationToken stopping)
    {
        var trial = lease.Trial is { } json ? TrialLease.Parse(json) : null;
        // from here on the coordinator hears of the worker, which may read its table first
        using var reports = new RemoteReports(calls, lease.Id, trial?.Epochs.Count ?? 0, _options, stopping);
        PreparedWork prepared;
        try
        {
            prepared = registry.Prepare(name);
        }
        catch (Exception e)
        {
            return $"its table could not be read: {e.Message}";
        }

        if (lease.Identity.Refusal(prepared.Identity) is { } refusal)
            return refusal;
        Messages.Works(logger, Messages.PartOf(lease.Part), name, lease.Id.Number);
        try
        {
            reports.End(Do(prepared.Work, lease, trial, reports));
        }
        catch (Exception e) when (e is QueueException || reports.IsCanceled)
        {
            using var soon = new CancellationTokenSource(TimeSpan.FromSeconds(5));
            if (!reports.IsLost)
                calls.Try(grain => Done(grain.ReturnAsync(lease.Id, null)), soon.Token, out _);
        }
        catch (Exception e)
        {
            // a trial that fails is a line; this is what no worker can do
            calls.Try(grain => Done(grain.FailAsync(lease.Id, e.Message)), stopping, out _);
        }

        return null;
    }

    private JournalLine? Do(IQueueWork work, WorkLease lease, TrialLease? trial, RemoteReports reports) => (lease.Part, trial) switch
    {
        (LeaseLine.Confirmation, _) => work.Confirm(lease.Trials![0], reports),
        (LeaseLine.Finishing, _) => work.Finish(lease.Trials!, lease.Loss),
        (_, { } given) => work.Work(
            given with { CheckpointFile = Own(work, given.CheckpointFile) }, _options.Workers > 1 ? 1 : null, reports),
        _ => throw new InvalidDataException($"Lease {lease.Id.Number} says nothing to do."),
    };

    /// <summary>A file of the shared folder, as this machine names it.</summary>
    private static string? Own(IQueueWork work, string? file) =>
        file is null ? null : Path.Combine(SweepJournal.FolderOf(work.Options.JournalFile!), Path.GetFileName(file));

    private static async Task<bool> Done(Task task)
    {
        await task.ConfigureAwait(false);
        return true;
    }
}
