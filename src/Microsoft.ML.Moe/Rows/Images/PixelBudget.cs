namespace Microsoft.ML.Moe.Rows;

/// <summary>
/// Bounds the memory of images that several threads decode at once: a thread whose image does not fit waits for the others. A thread that
/// decodes alone never waits.
/// </summary>
/// <param name="pixels">Most pixels at a time.</param>
internal sealed class PixelBudget(long pixels)
{
    private readonly object _lock = new();
    private long _taken;

    /// <summary>Decodes an image when there is room for it.</summary>
    /// <param name="count">Its pixels.</param>
    /// <param name="decode">Decodes it.</param>
    public T Run<T>(long count, Func<T> decode)
    {
        lock (_lock)
        {
            while (_taken > 0 && _taken + count > pixels)
                Monitor.Wait(_lock);
            _taken += count;
        }

        try
        {
            return decode();
        }
        finally
        {
            lock (_lock)
            {
                _taken -= count;
                Monitor.PulseAll(_lock);
            }
        }
    }
}
