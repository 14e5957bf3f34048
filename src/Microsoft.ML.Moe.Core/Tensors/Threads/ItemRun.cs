using System.Runtime.InteropServices;

namespace Microsoft.ML.Moe.Tensors;

/// <summary>
/// Neighbouring items of a <see cref="WorkerLoop"/>. It lies alone in the lines that processors exchange: as long as only one thread takes
/// from it, that one's processor keeps it.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = 128)]
internal struct ItemRun
{
    // Upper half: items in all. Lower half: items taken, and attempts to take more.
    [FieldOffset(0)]
    private long _state;

    [FieldOffset(8)]
    private int _first;

    [FieldOffset(12)]
    private int _finished;

    /// <summary>Whether an item is left to take.</summary>
    public readonly bool HasItems
    {
        get
        {
            var state = Volatile.Read(in _state);
            return Taken(state) < Items(state);
        }
    }

    /// <summary>Whether all items are done.</summary>
    public readonly bool IsFinished => Volatile.Read(in _finished) == Items(Volatile.Read(in _state));

    /// <summary>Replaces the items; all of those before must be done.</summary>
    /// <param name="first">First item.</param>
    /// <param name="items">Number of items.</param>
    public void Begin(int first, int items)
    {
        (_first, _finished) = (first, 0);
        Interlocked.Exchange(ref _state, (long)items << 32);
    }

    /// <summary>Takes items, if any are left.</summary>
    /// <param name="most">Most to take.</param>
    /// <param name="first">First of them.</param>
    /// <param name="count">Their number.</param>
    public bool TryTake(int most, out int first, out int count)
    {
        (first, count) = (0, 0);
        if (!HasItems)
            return false;
        var state = Interlocked.Add(ref _state, most);
        var before = Taken(state) - most;
        first = _first + before;
        count = Math.Min(most, Items(state) - before);
        return count > 0;
    }

    /// <summary>Notes that items which were taken are done.</summary>
    public void Finish(int count) => Interlocked.Add(ref _finished, count);

    private static int Items(long state) => (int)(state >> 32);

    private static int Taken(long state) => (int)state;
}
