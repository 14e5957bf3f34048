using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// Loops, one after the other, that threads take items from. A thread that comes late to a loop that has ended may find the next one
/// here: it takes from that one, or nothing, because the number of items and the number taken change together.
/// </summary>
internal sealed class WorkerLoop
{
    private SharedBody? _body;
    private Exception? _error;

    // Upper half: items in all. Lower half: items taken, and attempts to take more.
    private long _state;
    private int _done;

    /// <summary>Whether an item is left to take.</summary>
    public bool HasItems
    {
        get
        {
            var state = Volatile.Read(ref _state);
            return Taken(state) < Items(state);
        }
    }

    /// <summary>Begins a loop; the last one must have ended.</summary>
    /// <param name="items">Number of items.</param>
    /// <param name="body">Runs each item.</param>
    public void Begin(int items, SharedBody body)
    {
        (_body, _error, _done) = (body, null, 0);
        Interlocked.Exchange(ref _state, (long)items << 32);
    }

    /// <summary>Runs items until none is left.</summary>
    // Not inlined, so that the stack of a sleeping thread keeps no body alive.
    [MethodImpl(MethodImplOptions.NoInlining)]
    public void Work(int worker)
    {
        while (HasItems)
        {
            var state = Interlocked.Increment(ref _state);
            if (Taken(state) > Items(state))
                return;
            try
            {
                _body!.Run(Taken(state) - 1, worker);
            }
            catch (Exception error)
            {
                Interlocked.CompareExchange(ref _error, error, null);
            }

            Interlocked.Increment(ref _done);
        }
    }

    /// <summary>Waits until every item is done and ends the loop, then raises the first error of any of them.</summary>
    public void End()
    {
        var wait = default(SpinWait);
        var items = Items(_state);
        while (Volatile.Read(ref _done) < items)
            wait.SpinOnce(sleep1Threshold: -1);
        var error = _error;
        (_body, _error) = (null, null);
        if (error != null)
            ExceptionDispatchInfo.Throw(error);
    }

    private static int Items(long state) => (int)(state >> 32);

    private static int Taken(long state) => (int)state;
}
