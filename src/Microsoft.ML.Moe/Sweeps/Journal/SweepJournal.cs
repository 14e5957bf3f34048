namespace Microsoft.ML.Moe.Sweeps.Journal;

/// <summary>
/// The history of a sweep, kept in a file to which lines are added, if there is one. Others can read the file all the while, but not write it. For
/// several threads.
/// </summary>
internal sealed class SweepJournal : IDisposable
{
    private const string OfAnother = "MlNetMoe.OtherSweep";
    private readonly Lock _lock = new();
    private readonly FileStream? _file;
    private readonly SweepHistory _history;

    private readonly FileStream? _guard;

    private SweepJournal(FileStream? file, FileStream? guard, SweepHistory history, string? folder) =>
        (_file, _guard, _history, Folder) = (file, guard, history, folder);

    /// <summary>Folder of models and checkpoints; null without a file.</summary>
    public string? Folder { get; }

    /// <summary>Seconds of the sweep before it was taken up.</summary>
    public double SecondsBefore { get; private init; }

    /// <summary>Whether an error says that a journal is that of another sweep: of other rows, or with another seed, metric or space.</summary>
    public static bool IsOfAnother(Exception error) => error.Data.Contains(OfAnother);

    /// <summary>Folder of models and checkpoints.</summary>
    /// <param name="path">The journal's file.</param>
    public static string FolderOf(string path) => Path.GetFullPath(path) + ".files";

    /// <summary>Begins a sweep, or takes it up.</summary>
    /// <param name="path">The file; null for none.</param>
    /// <param name="sweep">Which sweep it is.</param>
    /// <exception cref="InvalidDataException">
    /// The file is damaged, or that of another sweep (<see cref="IsOfAnother"/>); the message says in what.
    /// </exception>
    /// <exception cref="IOException">It cannot be written, or another process is writing it.</exception>
    public static SweepJournal Open(string? path, SweepLine sweep)
    {
        if (path is null)
        {
            var history = new SweepHistory();
            history.Add(sweep);
            return new SweepJournal(null, null, history, null);
        }

        var full = Path.GetFullPath(path);
        var folder = FolderOf(path);
        FileStream? guard = null, file = null;
        try
        {
            // a file that can be read all the while cannot keep other writers out everywhere
            Directory.CreateDirectory(folder);
            guard = new FileStream(Path.Combine(folder, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            file = new FileStream(full, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0);
            var history = SweepHistory.Read(file, full);
            Check(history.Sweep, sweep, full);
            file.SetLength(history.Length);
            file.Seek(0, SeekOrigin.End);
            var journal = new SweepJournal(file, guard, history, folder) { SecondsBefore = history.Seconds };
            if (history.Sweep is null)
                journal.Add(sweep);
            return journal;
        }
        catch (Exception e)
        {
            file?.Dispose();
            guard?.Dispose();
            if (e is IOException or UnauthorizedAccessException && e is not InvalidDataException)
                throw new IOException($"{nameof(SweepOptions.JournalFile)} cannot be kept, or another process is keeping it: {e.Message}", e);
            throw;
        }
    }

    /// <summary>Adds a line.</summary>
    /// <returns>The trial that it is about, as it is now; null for none.</returns>
    /// <exception cref="IOException">It cannot be written.</exception>
    public SweepTrial? Add(JournalLine line)
    {
        lock (_lock)
        {
            _history.Add(line);
            _file?.Write(line.ToBytes());
            _file?.Flush(flushToDisk: true);
            return line switch
            {
                BeginLine begin => _history.Trials[begin.Trial],
                EpochLine epoch => _history.Trials[epoch.Trial],
                EndLine end => _history.Trials[end.Trial],
                _ => null,
            };
        }
    }

    /// <summary>A trial; null where it has not begun.</summary>
    public SweepTrial? this[int trial]
    {
        get
        {
            lock (_lock)
                return _history.Trials.GetValueOrDefault(trial);
        }
    }

    /// <summary>Which worker has what, on several machines, and the greatest number of a lease.</summary>
    public (IReadOnlyList<LeaseLine> Leases, long Last) Leases
    {
        get
        {
            lock (_lock)
                return ([.. _history.Leases.Values], _history.LastLease);
        }
    }

    /// <summary>How the sweep has ended on several machines; null where it has not.</summary>
    public FinishLine? Finish
    {
        get
        {
            lock (_lock)
                return _history.Finish;
        }
    }

    /// <summary>What was found so far.</summary>
    public SweepResult Result()
    {
        lock (_lock)
            return _history.Result();
    }

    /// <summary>Closes the file.</summary>
    public void Dispose()
    {
        _file?.Dispose();
        _guard?.Dispose();
    }

    private static void Check(SweepLine? found, SweepLine sweep, string path)
    {
        if (found is null || found == sweep)
            return;
        var what = found.Seed != sweep.Seed ? $"seed {found.Seed}, not {sweep.Seed}"
            : found.Metric != sweep.Metric ? $"metric {found.Metric}, not {sweep.Metric}"
            : found.Space != sweep.Space ? $"search space '{found.Space}', not '{sweep.Space}'"
            : "rows";
        throw new InvalidDataException(
            $"{path} is the journal of another sweep: it has other {what}. Give {nameof(SweepOptions.JournalFile)} another name, or remove the "
            + $"file and {path}.files.")
        {
            Data = { [OfAnother] = true },
        };
    }
}
