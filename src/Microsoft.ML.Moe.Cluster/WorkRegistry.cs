using Microsoft.Extensions.Logging;
using Microsoft.ML.Moe.Sweeps.Running;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.Cluster;

/// <summary>Work that an application has given a name.</summary>
/// <param name="Name">The name.</param>
/// <param name="Table">Reads the table.</param>
/// <param name="Source">Makes what becomes work with it.</param>
internal sealed record WorkDefinition(string Name, Func<MLContext, IDataView> Table, Func<MLContext, IQueueSource> Source);

/// <summary>Work that is ready to be done.</summary>
/// <param name="Work">The work.</param>
/// <param name="Identity">What other processes must have in common with this.</param>
internal sealed record PreparedWork(IQueueWork Work, WorkIdentity Identity);

/// <summary>The work that a silo knows by name. Its tables are read when they are needed, and once. For several threads.</summary>
internal sealed class WorkRegistry : IDisposable
{
    /// <summary>Milliseconds that others have the turn: some polls of who waits.</summary>
    private const int Turn = 3000;

    private readonly Dictionary<string, Entry> _entries;

    public WorkRegistry(IEnumerable<WorkDefinition> definitions, ILogger<WorkRegistry> logger) => _entries =
        definitions.ToDictionary(definition => definition.Name, definition => new Entry(definition, logger), StringComparer.Ordinal);

    /// <summary>All names.</summary>
    public IReadOnlyCollection<string> Names => _entries.Keys;

    /// <summary>Full path of the journal.</summary>
    /// <exception cref="InvalidOperationException">There is no work of that name, or it has no journal; the message tells.</exception>
    public string JournalOf(string name) => Find(name).Journal;

    /// <summary>Work with its table, which may take long.</summary>
    /// <exception cref="InvalidOperationException">There is no work of that name, or it has no journal; the message tells.</exception>
    public PreparedWork Prepare(string name) => Find(name).Prepare();

    /// <summary>Lets workers of other silos, and those who wait, be the next to ask for a coordinator, which Orleans makes where it is asked for.</summary>
    public void StandBack(string name) => Find(name).TurnOfOthers = Environment.TickCount64 + Turn;

    /// <summary>Whether it is the turn of others; see <see cref="StandBack"/>.</summary>
    public bool StandsBack(string name) => Environment.TickCount64 < Find(name).TurnOfOthers;

    public void Dispose()
    {
        foreach (var entry in _entries.Values)
            entry.Dispose();
    }

    private Entry Find(string name) => _entries.GetValueOrDefault(name) ?? throw new InvalidOperationException(
        $"There is no sweep '{name}' in this silo; there is {(_entries.Count == 0 ? "none" : string.Join(", ", _entries.Keys))}. Add it in all "
        + $"silos by {nameof(MoeClusterHosting.AddMoeSweeps)}.");

    private sealed class Entry(WorkDefinition definition, ILogger logger) : IDisposable
    {
        private readonly Lock _lock = new();
        private readonly MLContext _ml = LoggingContext(logger);
        private IQueueSource? _source;
        private PreparedWork? _prepared;
        private long _turnOfOthers;

        /// <summary>Until when it is the turn of other silos, in milliseconds of the system.</summary>
        public long TurnOfOthers
        {
            get => Volatile.Read(ref _turnOfOthers);
            set => Volatile.Write(ref _turnOfOthers, value);
        }

        public string Journal
        {
            get
            {
                lock (_lock)
                    return Path.GetFullPath(Source.Options.JournalFile ?? throw new InvalidOperationException(
                        $"'{definition.Name}' has no {nameof(SweepOptions.JournalFile)}: on several machines it has to be in a folder that all "
                        + "of them see."));
            }
        }

        private IQueueSource Source => _source ??= definition.Source(_ml);

        public PreparedWork Prepare()
        {
            _ = Journal;
            lock (_lock)
            {
                if (_prepared is not null)
                    return _prepared;
                var table = definition.Table(_ml);
                var work = Source.Prepare(table);
                return _prepared = new PreparedWork(work, WorkIdentity.Of(work.Sweep, table));
            }
        }

        public void Dispose() => _prepared?.Work.Dispose();

        private static MLContext LoggingContext(ILogger logger)
        {
            var ml = new MLContext(seed: 0);
            ml.Log += (_, message) =>
            {
                if (message.Kind is ChannelMessageKind.Warning or ChannelMessageKind.Error)
                    Messages.MlNetWarning(logger, message.Message);
                else if (message.Kind is ChannelMessageKind.Info)
                    Messages.MlNetMessage(logger, message.Message);
            };
            return ml;
        }
    }
}
