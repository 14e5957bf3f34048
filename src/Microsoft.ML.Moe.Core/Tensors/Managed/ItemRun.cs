using System.Runtime.InteropServices;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Neighbouring items of a <see cref="WorkerLoop"/>, taken one by one. As large as the lines that processors exchange.</summary>
[StructLayout(LayoutKind.Explicit, Size = 128)]
internal struct ItemRun
{
    // Upper half: items in all. Lower half: items taken, and attempts to take more.
    [FieldOffset(0)]
    private long _state;

    [FieldOffset(8)]
    private int _first;

    /// <summary>Whether an item is left to take.</summary>
    public readonly bool HasItems
    {
        get
        {
            var state = Volatile.Read(in _state);
            return Taken(state) < Items(state);
        }
    }

    /// <summary>Replaces the items; all of those before must have been taken.</summary>
    /// <param name="first">First item.</param>
    /// <param name="items">Number of items.</param>
    public void Begin(int first, int items)
    {
        _first = first;
        Interlocked.Exchange(ref _state, (long)items << 32);
    }

    /// <summary>Takes an item, if one is left.</summary>
    public bool TryTake(out int item)
    {
        item = -1;
        if (!HasItems)
            return false;
        var state = Interlocked.Increment(ref _state);
        item = _first + Taken(state) - 1;
        return Taken(state) <= Items(state);
    }

    private static int Items(long state) => (int)(state >> 32);

    private static int Taken(long state) => (int)state;
}
