using System.Text.Json;
using Microsoft.ML.Moe.Sweeps.Space;

namespace Microsoft.ML.Moe.Sweeps.Journal;

/// <summary>What has happened in a sweep so far. Not for several threads at once.</summary>
internal sealed class SweepHistory
{
    private const int LongestFile = 1 << 28;
    private const int LongestLine = 1 << 20;
    private readonly SortedDictionary<int, SweepTrial> _trials = [];
    private readonly SortedDictionary<int, LeaseLine> _leases = [];

    /// <summary>Which sweep it is; null in a journal without a line.</summary>
    public SweepLine? Sweep { get; private set; }

    /// <summary>The trials by their numbers.</summary>
    public IReadOnlyDictionary<int, SweepTrial> Trials => _trials;

    /// <summary>The winner with another seed.</summary>
    public SweepConfirmation? Confirmation { get; private set; }

    /// <summary>Which worker has which trial, on several machines: those that have not ended.</summary>
    public IReadOnlyDictionary<int, LeaseLine> Leases => _leases;

    /// <summary>The greatest number of a lease; 0 where there was none.</summary>
    public long LastLease { get; private set; }

    /// <summary>How the sweep has ended on several machines; null where it has not.</summary>
    public FinishLine? Finish { get; private set; }

    /// <summary>Seconds from the beginning to the last line.</summary>
    public double Seconds { get; private set; }

    /// <summary>Bytes up to the end of the last whole line.</summary>
    public long Length { get; private set; }

    /// <summary>Reads a journal. A last line that was not written to its end is passed over.</summary>
    /// <exception cref="FileNotFoundException">It is not there.</exception>
    /// <exception cref="InvalidDataException">It is no journal, or damaged; the message names the line.</exception>
    public static SweepHistory Read(string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        return Read(stream, path);
    }

    /// <summary>Reads a journal from its beginning.</summary>
    public static SweepHistory Read(FileStream stream, string path)
    {
        if (stream.Length > LongestFile)
            throw new InvalidDataException($"{path} has {stream.Length} bytes: it is no journal of a sweep.");
        var bytes = new byte[stream.Length];
        stream.Position = 0;
        return Read(bytes.AsSpan(0, stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false)), path);
    }

    /// <summary>Reads what stands in a journal.</summary>
    public static SweepHistory Read(ReadOnlySpan<byte> rest, string path)
    {
        var history = new SweepHistory();
        for (var number = 1; rest.IndexOf((byte)'\n') is var end and >= 0; number++, rest = rest[(end + 1)..])
        {
            try
            {
                if (end > LongestLine)
                    throw new JsonException($"The line has {end} bytes.");
                history.Add(JournalLine.Parse(rest[..end]));
            }
            catch (Exception e) when (e is JsonException or ArgumentException or InvalidOperationException)
            {
                throw new InvalidDataException(
                    $"{path}, line {number}, is no line of a sweep's journal: {e.Message} Give the sweep another file, or remove this one.", e);
            }

            history.Length += end + 1;
        }

        return history;
    }

    /// <summary>Takes a line in.</summary>
    /// <exception cref="InvalidOperationException">It does not belong here.</exception>
    public void Add(JournalLine line)
    {
        if (Sweep is null != line is SweepLine)
            throw new InvalidOperationException(Sweep is null ? "The first line says no sweep." : "There is a second sweep.");
        switch (line)
        {
            case SweepLine sweep:
                Sweep = sweep.Version == SweepLine.CurrentVersion
                    ? sweep
                    : throw new InvalidOperationException($"It is of version {sweep.Version}; this library reads {SweepLine.CurrentVersion}.");
                break;
            case BeginLine begin:
                _trials[begin.Trial] = new SweepTrial(
                    begin.Trial, begin.Options.ToDictionary(option => option.Key, option => option.Value?.ToString() ?? OptionText.Of(null)));
                Finish = null;
                Seconds = begin.At;
                break;
            case EpochLine epoch:
                Change(epoch.Trial, trial => trial with
                {
                    Epochs = [.. trial.Epochs, new SweepEpoch(epoch.Epoch, epoch.Epochs, epoch.TrainingLoss, epoch.Loss)],
                });
                Seconds = epoch.At;
                break;
            case EndLine end:
                Change(end.Trial, trial => trial with
                {
                    Verdict = end.Verdict,
                    Loss = end.Loss,
                    Metrics = end.Metrics ?? new Dictionary<string, double>(),
                    Duration = TimeSpan.FromSeconds(end.Seconds),
                    ProcessMemory = end.Memory,
                    Error = end.Error,
                });
                _leases.Remove(end.Trial);
                Seconds = end.At;
                break;
            case ConfirmationLine confirmation:
                Confirmation = new SweepConfirmation(
                    confirmation.Trial, confirmation.Seed, confirmation.Loss, confirmation.Difference, confirmation.StandardError);
                _leases.Remove(LeaseLine.Confirmation);
                Seconds = confirmation.At;
                break;
            case LeaseLine lease:
                if (lease.Worker.Length == 0)
                    _leases.Remove(lease.Trial);
                else
                    _leases[lease.Trial] = lease;
                LastLease = Math.Max(LastLease, lease.Lease);
                if (lease.Trial >= 0)
                    Finish = null;
                Seconds = lease.At;
                break;
            case FinishLine finish:
                Finish = finish;
                _leases.Clear();
                Seconds = finish.At;
                break;
        }
    }

    /// <summary>The same as a result.</summary>
    public SweepResult Result() =>
        new([.. _trials.Values], Sweep?.Metric ?? SweepMetric.Automatic, Confirmation, TimeSpan.FromSeconds(Seconds))
        {
            Members = Finish?.Members ?? [],
            EnsembleLoss = Finish?.Loss,
        };

    private void Change(int trial, Func<SweepTrial, SweepTrial> change) => _trials[trial] = _trials.TryGetValue(trial, out var before)
        ? change(before)
        : throw new InvalidOperationException($"Trial {trial} has not begun.");
}
