using Microsoft.ML.Moe.Sweeps.Journal;

namespace Microsoft.ML.Moe.Cluster;

/// <summary>Starts sweeps from a client of the cluster, or from within a silo.</summary>
public static class MoeClusterClient
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(500);

    /// <summary>How often a sweep may be refused by silos whose rows are not the journal's.</summary>
    private const int MostRefusals = 20;

    /// <summary>How long there may be no answer, as when the silo that coordinates has died and another takes over.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    /// <summary>
    /// Starts a sweep and waits for its end; or takes it up after an interruption, or prolongs it where its definition now has more trials or
    /// time. One that has ended gives its result at once.
    /// </summary>
    /// <param name="client">The cluster: its client, or the grain factory of a silo.</param>
    /// <param name="name">Name that the sweep has in all silos.</param>
    /// <param name="progress">Is told what was found so far, whenever there is something new.</param>
    /// <param name="cancellationToken">Ends the waiting, not the sweep.</param>
    /// <returns>
    /// What was found, the same as on one machine; the model is in <see cref="SweepResult.ModelFile"/>, named as the coordinating machine
    /// names it.
    /// </returns>
    /// <exception cref="InvalidOperationException">The sweep cannot be done; the message says why.</exception>
    /// <exception cref="TimeoutException">The cluster has not answered for minutes.</exception>
    public static async Task<SweepResult> SweepAsync(
        this IGrainFactory client, string name, IProgress<SweepResult>? progress = null, CancellationToken cancellationToken = default) =>
        (await RunAsync(client, name, progress, cancellationToken)).Result;

    /// <summary>Starts a cross-validation and waits for its end; or takes it up after an interruption.</summary>
    /// <param name="client">The cluster: its client, or the grain factory of a silo.</param>
    /// <param name="name">Name that the cross-validation has in all silos.</param>
    /// <param name="progress">Is told of the folds so far, whenever there is something new.</param>
    /// <param name="cancellationToken">Ends the waiting, not the cross-validation.</param>
    /// <returns>The folds: loss and further metrics of each, of the rows that were kept from it.</returns>
    /// <exception cref="InvalidOperationException">A fold could not be fitted, or the whole cannot be done; the message says why.</exception>
    /// <exception cref="TimeoutException">The cluster has not answered for minutes.</exception>
    public static async Task<IReadOnlyList<SweepTrial>> CrossValidateAsync(
        this IGrainFactory client, string name, IProgress<SweepResult>? progress = null, CancellationToken cancellationToken = default) =>
        (await RunAsync(client, name, progress, cancellationToken)).Result.Trials;

    /// <summary>Starts the scoring of a table and waits for its end; or takes it up after an interruption.</summary>
    /// <param name="client">The cluster: its client, or the grain factory of a silo.</param>
    /// <param name="name">Name that the scoring has in all silos.</param>
    /// <param name="progress">Is told of the shards so far, whenever there is something new.</param>
    /// <param name="cancellationToken">Ends the waiting, not the scoring.</param>
    /// <returns>
    /// The files of the scored rows in the order of the table, as the coordinating machine names them; for <c>ml.Data.LoadFromBinary</c>.
    /// </returns>
    /// <exception cref="InvalidOperationException">A shard could not be scored, or the whole cannot be done; the message says why.</exception>
    /// <exception cref="TimeoutException">The cluster has not answered for minutes.</exception>
    public static async Task<IReadOnlyList<string>> ScoreAsync(
        this IGrainFactory client, string name, IProgress<SweepResult>? progress = null, CancellationToken cancellationToken = default)
    {
        var (result, journal) = await RunAsync(client, name, progress, cancellationToken);
        return [.. result.Trials.Select(part => ScoringWork.FileOf(journal, part.Number))];
    }

    private static async Task<(SweepResult Result, string JournalFile)> RunAsync(
        IGrainFactory client, string name, IProgress<SweepResult>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        var grain = client.GetGrain<ISweepGrain>(name);
        // what has ended, and what another call has begun, is told apart by the coordinator
        var (isStarted, told, refusals) = (false, 0L, 0);
        while (true)
        {
            var status = await AskAsync(
                async () =>
                {
                    if (!isStarted)
                        await grain.StartAsync();
                    isStarted = true;
                    return await grain.StatusAsync();
                },
                cancellationToken);
            if (status.State is SweepState.Failed && (!status.MayBeAlone || ++refusals == MostRefusals))
                throw new InvalidOperationException(status.Message);
            // a coordinator that has died before it wrote anything down, or that is in the wrong silo
            isStarted = status.State is not (SweepState.Idle or SweepState.Failed);
            var isOver = status.State is SweepState.Finished;
            if (isOver || (progress is not null && status.Length > told))
            {
                var result = ResultOf(await AskAsync(grain.JournalAsync, cancellationToken), status.JournalFile);
                if (status.Length > told)
                    progress?.Report(result);
                if (isOver)
                    return (result, status.JournalFile);
                told = status.Length;
            }

            await Task.Delay(Poll, cancellationToken);
        }
    }

    private static SweepResult ResultOf(byte[] journal, string path)
    {
        var history = SweepHistory.Read(journal, path);
        var result = history.Result();
        return new SweepResult(result.Trials, result.Metric, result.Confirmation, result.Duration)
        {
            Members = result.Members,
            EnsembleLoss = result.EnsembleLoss,
            ModelFile = history.Finish?.ModelFile is { } file ? Path.Combine(Path.GetDirectoryName(path) ?? "", file) : null,
        };
    }

    private static async Task<T> AskAsync<T>(Func<Task<T>> ask, CancellationToken cancellationToken)
    {
        for (var since = TimeProvider.System.GetTimestamp(); ; await Task.Delay(Poll, cancellationToken))
        {
            try
            {
                return await ask().WaitAsync(cancellationToken);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                // whatever it is, the silo may be gone and another about to take over
                if (TimeProvider.System.GetElapsedTime(since) > Patience)
                    throw new TimeoutException($"The cluster has not answered for {Patience.TotalMinutes:0} minutes: {e.Message}", e);
            }
        }
    }
}
