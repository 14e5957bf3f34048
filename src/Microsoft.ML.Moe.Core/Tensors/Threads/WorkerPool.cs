namespace Microsoft.ML.Moe.Tensors;

/// <summary>
/// Background threads that share the caller's loops. Which thread runs which item is not certain, so items must not depend on
/// one another, and whatever an item computes must not depend on the number of threads. While one caller uses the threads, other
/// callers and nested loops run inline instead of waiting for the pool.
/// </summary>
internal sealed class WorkerPool : IDisposable
{
    /// <summary>Work below this, some microseconds, is not worth waking a thread for.</summary>
    public const long DefaultSmallestWork = 1 << 15;

    /// <summary>Work of items that are taken at once at least.</summary>
    private const long SmallestGroup = 1 << 15;

    private const int SpinsBeforeSleep = 60;
    private readonly SemaphoreSlim _wake = new(0);
    private readonly long _smallestWork;
    private readonly WorkerLoop _loop;

    // One for each type of body; only the one caller that holds the pool looks.
    private readonly Dictionary<Type, SharedBody> _bodies = [];
    private Thread[]? _threads;
    private volatile bool _stopped;
    private int _busy;
    private int _sleeping;

    public WorkerPool(int threads, long smallestWork = DefaultSmallestWork)
    {
        Threads = threads;
        _loop = new WorkerLoop(threads);
        _smallestWork = smallestWork;
    }

    /// <summary>Threads that work on a loop, the caller's included.</summary>
    public int Threads { get; }

    /// <summary>Runs body(item, worker) for each item within [0, items); worker is within [0, <see cref="Threads"/>).</summary>
    /// <param name="items">Number of items.</param>
    /// <param name="work">Floats that all items together read from memory, or what takes as long: few wake no thread.</param>
    /// <param name="body">Runs at the same time for different items, never twice at once for one worker.</param>
    public void Run<TBody>(int items, long work, TBody body)
        where TBody : struct, ILoopBody
    {
        if (items <= 1 || Threads == 1 || work < _smallestWork || _stopped || Interlocked.CompareExchange(ref _busy, 1, 0) != 0)
        {
            for (var item = 0; item < items; item++)
                body.Run(item, 0);
            return;
        }

        try
        {
            StartThreads();
            Share(items, Group(items, work), body);
        }
        finally
        {
            Volatile.Write(ref _busy, 0);
        }
    }

    /// <summary>The same with a delegate, for loops that run seldom or keep theirs.</summary>
    public void Run(int items, long work, Action<int, int> body) => Run(items, work, new DelegateBody(body));

    /// <summary>Runs body(start, count) for each block of [0, length): the last may be shorter.</summary>
    /// <param name="length">What is divided.</param>
    /// <param name="blockLength">Length of a block, over 0; must not depend on the number of threads.</param>
    /// <param name="work">See <see cref="Run{TBody}"/>.</param>
    /// <param name="body">Runs at the same time for different blocks.</param>
    public void RunBlocks<TBody>(int length, int blockLength, long work, TBody body)
        where TBody : struct, IBlockBody =>
        Run((int)(((long)length + blockLength - 1) / blockLength), work, new BlockLoop<TBody>(body, length, blockLength));

    public void Dispose()
    {
        _stopped = true;
        _wake.Release(Threads);
    }

    // So many at once that it pays, but not so many that one thread is left waiting for another.
    private int Group(int items, long work) =>
        (int)Math.Clamp(SmallestGroup * items / Math.Max(1, work), 1, Math.Max(1, items / (4 * Threads)));

    private void Share<TBody>(int items, int group, TBody body)
        where TBody : struct, ILoopBody
    {
        if (!_bodies.TryGetValue(typeof(TBody), out var place))
            _bodies.Add(typeof(TBody), place = new SharedBody.Of<TBody>());
        var shared = (SharedBody.Of<TBody>)place;
        shared.Set(body);
        try
        {
            _loop.Begin(items, group, shared);
            Interlocked.MemoryBarrier();
            var sleeping = Volatile.Read(ref _sleeping);
            if (sleeping > 0)
                _wake.Release(Math.Min(sleeping, items - 1));
            _loop.Work(0);
            _loop.End();
        }
        finally
        {
            shared.Set(default);
        }
    }

    // Only the one caller that holds the pool comes here.
    private void StartThreads()
    {
        if (_threads != null)
            return;
        _threads = new Thread[Threads - 1];
        for (var i = 0; i < _threads.Length; i++)
        {
            var worker = i + 1;
            _threads[i] = new Thread(() => Serve(worker)) { IsBackground = true, Name = $"Tensor worker {worker}" };
            _threads[i].Start();
        }
    }

    private void Serve(int worker)
    {
        var spins = 0;
        while (!_stopped)
        {
            if (_loop.HasItems)
            {
                _loop.Work(worker);
                spins = 0;
            }
            else if (spins < SpinsBeforeSleep)
            {
                spins++;
                Thread.SpinWait(20);
            }
            else
            {
                // Counted as asleep before the last look, so that a caller who publishes after that look sees the count.
                Interlocked.Increment(ref _sleeping);
                if (!_loop.HasItems && !_stopped)
                    _wake.Wait();
                Interlocked.Decrement(ref _sleeping);
                spins = 0;
            }
        }
    }

    private readonly struct BlockLoop<TBody>(TBody body, int length, int blockLength) : ILoopBody
        where TBody : struct, IBlockBody
    {
        public void Run(int item, int worker) => body.Run(item * blockLength, Math.Min(blockLength, length - item * blockLength));
    }

    private readonly struct DelegateBody(Action<int, int> body) : ILoopBody
    {
        public void Run(int item, int worker) => body(item, worker);
    }
}
