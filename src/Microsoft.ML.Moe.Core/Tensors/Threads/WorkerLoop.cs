using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;

namespace Microsoft.ML.Moe.Tensors;

/// <summary>
/// Loops, one after the other, that threads take items from. Each thread has a run of neighbouring items of its own and helps the others
/// when it is done: so it finds in its cache what it made of the same items in the loop before, and still waits for nobody. A thread that
/// comes late to a loop that has ended may find the next one here: it takes from that one, or nothing, because the number of items and the
/// number taken change together.
/// </summary>
/// <param name="threads">Threads that take items.</param>
internal sealed class WorkerLoop(int threads)
{
    private readonly ItemRun[] _runs = new ItemRun[threads];
    private SharedBody? _body;
    private Exception? _error;
    private int _group;

    /// <summary>Whether an item is left to take.</summary>
    public bool HasItems
    {
        get
        {
            foreach (ref var run in _runs.AsSpan())
            {
                if (run.HasItems)
                    return true;
            }

            return false;
        }
    }

    /// <summary>Begins a loop; the last one must have ended.</summary>
    /// <param name="items">Number of items.</param>
    /// <param name="group">How many a thread takes at once; over 1 where one is done sooner than threads agree on who does it.</param>
    /// <param name="body">Runs each item.</param>
    public void Begin(int items, int group, SharedBody body)
    {
        (_body, _error, _group) = (body, null, group);
        for (var thread = 0; thread < threads; thread++)
        {
            var first = (int)((long)items * thread / threads);
            _runs[thread].Begin(first, (int)((long)items * (thread + 1) / threads) - first);
        }
    }

    /// <summary>Runs items until none is left.</summary>
    // Not inlined, so that the stack of a sleeping thread keeps no body alive.
    [MethodImpl(MethodImplOptions.NoInlining)]
    public void Work(int worker)
    {
        for (var i = 0; i < threads; i++)
        {
            ref var run = ref _runs[(worker + i) % threads];
            while (run.TryTake(_group, out var first, out var count))
            {
                try
                {
                    for (var item = first; item < first + count; item++)
                        _body!.Run(item, worker);
                }
                catch (Exception error)
                {
                    Interlocked.CompareExchange(ref _error, error, null);
                }

                run.Finish(count);
            }
        }
    }

    /// <summary>Waits until every item is done and ends the loop, then raises the first error of any of them.</summary>
    public void End()
    {
        foreach (ref var run in _runs.AsSpan())
        {
            var wait = default(SpinWait);
            while (!run.IsFinished)
                wait.SpinOnce(sleep1Threshold: -1);
        }

        var error = _error;
        (_body, _error) = (null, null);
        if (error != null)
            ExceptionDispatchInfo.Throw(error);
    }
}
