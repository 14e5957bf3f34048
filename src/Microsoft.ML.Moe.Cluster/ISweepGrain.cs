namespace Microsoft.ML.Moe.Cluster;

/// <summary>The coordinator of a sweep, by its name. It trains nothing; no call takes long.</summary>
[Alias("MlNetMoe.Sweep")]
internal interface ISweepGrain : IGrainWithStringKey
{
    /// <summary>Begins the sweep, or takes it up, or prolongs it.</summary>
    [Alias("Start")]
    Task StartAsync();

    /// <summary>How it stands.</summary>
    [Alias("Status")]
    Task<SweepStatus> StatusAsync();

    /// <summary>The lines of its journal.</summary>
    [Alias("Journal")]
    Task<byte[]> JournalAsync();

    /// <summary>A worker asks for something to do.</summary>
    [Alias("Take")]
    Task<LeaseAnswer> TakeAsync(string worker);

    /// <summary>A trial begins, or begins anew.</summary>
    [Alias("Begin")]
    Task<TrialAnswer> BeginAsync(LeaseId lease);

    /// <summary>An epoch has ended.</summary>
    /// <param name="lease">The worker's lease.</param>
    /// <param name="index">Epochs that were told before it.</param>
    /// <param name="line">Its line of the journal.</param>
    [Alias("Report")]
    Task<TrialAnswer> ReportAsync(LeaseId lease, int index, byte[] line);

    /// <summary>The worker lives.</summary>
    [Alias("Renew")]
    Task<TrialAnswer> RenewAsync(LeaseId lease);

    /// <summary>What was to be done is done.</summary>
    /// <param name="lease">The worker's lease.</param>
    /// <param name="line">Its line of the journal; none where nothing has come of it.</param>
    [Alias("End")]
    Task<TrialAnswer> EndAsync(LeaseId lease, byte[]? line);

    /// <summary>A worker gives up what it was given, for another to do.</summary>
    /// <param name="lease">The worker's lease.</param>
    /// <param name="refusal">Why it will never do it; null where it is about to end.</param>
    [Alias("Return")]
    Task ReturnAsync(LeaseId lease, string? refusal);

    /// <summary>What was to be done cannot be done by anyone: the sweep ends.</summary>
    [Alias("Fail")]
    Task FailAsync(LeaseId lease, string message);
}

/// <summary>Names a lease.</summary>
/// <param name="Number">Its number.</param>
/// <param name="Worker">Who has it.</param>
[GenerateSerializer]
[Alias("MlNetMoe.LeaseId")]
internal readonly record struct LeaseId([property: Id(0)] long Number, [property: Id(1)] string Worker);

/// <summary>What a worker is told of its trial.</summary>
internal enum TrialAnswer
{
    /// <summary>Go on.</summary>
    GoOn,

    /// <summary>It is at a rung: wait, and ask again.</summary>
    Wait,

    /// <summary>It is not among the best: stop.</summary>
    Stop,

    /// <summary>The budget has ended: stop, and the best epoch counts.</summary>
    Over,

    /// <summary>The trial is no longer the worker's, who is to forget it.</summary>
    Lost,

    /// <summary>The coordinator is about to be ready, and has taken nothing in: ask again.</summary>
    NotReady,
}

/// <summary>How a sweep stands.</summary>
internal enum SweepState
{
    /// <summary>Nobody has started it.</summary>
    Idle,

    /// <summary>The coordinator reads its table and its journal.</summary>
    Preparing,

    /// <summary>It goes on.</summary>
    Running,

    /// <summary>It has ended.</summary>
    Finished,

    /// <summary>It has ended with an error.</summary>
    Failed,
}

/// <summary>How a sweep stands.</summary>
/// <param name="State">The same in a word.</param>
/// <param name="Message">What is wrong; null for nothing.</param>
/// <param name="Length">Bytes of the journal.</param>
/// <param name="Coordinator">Process that coordinates, by machine and number.</param>
/// <param name="JournalFile">The journal, as the coordinator names it.</param>
/// <param name="MayBeAlone">
/// Whether it failed as the coordinating silo's own rows or settings are not the journal's: another silo may have those.
/// </param>
[GenerateSerializer]
[Alias("MlNetMoe.SweepStatus")]
internal sealed record SweepStatus(
    [property: Id(0)] SweepState State,
    [property: Id(1)] string? Message,
    [property: Id(2)] long Length,
    [property: Id(3)] string Coordinator,
    [property: Id(4)] string JournalFile,
    [property: Id(5)] bool MayBeAlone = false);

/// <summary>What a worker is to do; or nothing, now.</summary>
/// <param name="State">How the sweep stands.</param>
/// <param name="Lease">What to do; null for nothing.</param>
[GenerateSerializer]
[Alias("MlNetMoe.LeaseAnswer")]
internal sealed record LeaseAnswer([property: Id(0)] SweepState State, [property: Id(1)] WorkLease? Lease = null);

/// <summary>What a worker is to do.</summary>
/// <param name="Id">Names the lease.</param>
/// <param name="Part">Number of a trial, or what <see cref="Sweeps.Journal.LeaseLine"/> has in place of one.</param>
/// <param name="Identity">Of which table, by which library.</param>
/// <param name="Trial">The trial, as JSON; null where it is none.</param>
/// <param name="Trials">The trials that are kept, best first; the winner.</param>
/// <param name="Loss">Loss of the best.</param>
[GenerateSerializer]
[Alias("MlNetMoe.WorkLease")]
internal sealed record WorkLease(
    [property: Id(0)] LeaseId Id,
    [property: Id(1)] int Part,
    [property: Id(2)] WorkIdentity Identity,
    [property: Id(3)] byte[]? Trial = null,
    [property: Id(4)] int[]? Trials = null,
    [property: Id(5)] double Loss = 0);
