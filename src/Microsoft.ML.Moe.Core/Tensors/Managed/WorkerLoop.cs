using System.Runtime.ExceptionServices;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>One loop that threads take items from.</summary>
internal sealed class WorkerLoop(int items, Action<int, int> body)
{
    private Exception? _error;
    private int _taken;
    private int _done;

    /// <summary>Whether an item is left to take.</summary>
    public bool HasItems => Volatile.Read(ref _taken) < items;

    /// <summary>Runs items until none is left.</summary>
    public void Work(int worker)
    {
        while (HasItems)
        {
            var item = Interlocked.Increment(ref _taken) - 1;
            if (item >= items)
                return;
            try
            {
                body(item, worker);
            }
            catch (Exception error)
            {
                Interlocked.CompareExchange(ref _error, error, null);
            }

            Interlocked.Increment(ref _done);
        }
    }

    /// <summary>Waits until every item is done, then raises the first error of any of them.</summary>
    public void Wait()
    {
        var wait = default(SpinWait);
        while (Volatile.Read(ref _done) < items)
            wait.SpinOnce(sleep1Threshold: -1);
        if (_error != null)
            ExceptionDispatchInfo.Throw(_error);
    }
}
