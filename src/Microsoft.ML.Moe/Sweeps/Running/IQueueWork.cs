using Microsoft.ML.Moe.Sweeps.Journal;

namespace Microsoft.ML.Moe.Sweeps.Running;

/// <summary>What becomes work for several machines once it has a table.</summary>
internal interface IQueueSource
{
    /// <summary>How long, and where the journal is.</summary>
    SweepOptions Options { get; }

    /// <summary>Prepares the work.</summary>
    /// <exception cref="ArgumentException">A column is missing or of the wrong type; the message says which.</exception>
    IQueueWork Prepare(IDataView table);
}

/// <summary>
/// Work that a queue in one process gives out and workers in others do. What they share are the journal's folder and the table, which each
/// reads itself. For several threads.
/// </summary>
internal interface IQueueWork : IDisposable
{
    /// <summary>How long, and where the journal is.</summary>
    SweepOptions Options { get; }

    /// <summary>Which work it is: the same for queue and workers.</summary>
    SweepLine Sweep { get; }

    /// <summary>
    /// Whether one of the parts is the best, which is confirmed and kept; if not, all are wanted, and one that fails, or is stopped, ends the
    /// work.
    /// </summary>
    bool HasWinner { get; }

    /// <summary>Opens the queue.</summary>
    /// <exception cref="InvalidDataException">The journal is damaged, or that of other work.</exception>
    /// <exception cref="IOException">It cannot be written, or another process is writing it.</exception>
    SweepQueue Open();

    /// <summary>Does a part of it to its end.</summary>
    /// <param name="lease">The part.</param>
    /// <param name="threads">Threads of a trainer of this library; null for all.</param>
    /// <param name="reports">Is told how it goes.</param>
    /// <returns>How it has ended, which the queue has not been told.</returns>
    EndLine Work(TrialLease lease, int? threads, ITrialReports reports);

    /// <summary>Fits a trial with another seed, and compares it with the defaults; null where that is not possible.</summary>
    ConfirmationLine? Confirm(int trial, ITrialReports reports);

    /// <summary>Keeps the model of what has ended.</summary>
    /// <param name="trials">The trials that are kept, best first.</param>
    /// <param name="loss">Loss of the best.</param>
    FinishLine Finish(IReadOnlyList<int> trials, double loss);
}
