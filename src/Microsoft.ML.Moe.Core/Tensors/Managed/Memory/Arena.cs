namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Memory that is handed out piece by piece and taken back all at once. For one thread.</summary>
internal sealed unsafe class Arena(BlockPool pool)
{
    private readonly List<MemoryBlock> _blocks = [];
    private int _current;
    private int _used;

    /// <summary>Floats with any content, on a cache-line boundary.</summary>
    public float* Allocate(long length)
    {
        var padded = (length + MemoryBlock.Alignment - 1) / MemoryBlock.Alignment * MemoryBlock.Alignment;
        while (_current < _blocks.Count && _used + padded > _blocks[_current].Length)
        {
            _current++;
            _used = 0;
        }

        if (_current == _blocks.Count)
            _blocks.Add(pool.Take(padded));
        var start = _blocks[_current].Data + _used;
        _used += (int)padded;
        return start;
    }

    /// <summary>Integers with any content.</summary>
    public int* AllocateIntegers(long length) => (int*)Allocate(length);

    /// <summary>Takes everything back and keeps the blocks for what comes next.</summary>
    public void Reset()
    {
        _current = 0;
        _used = 0;
    }

    /// <summary>Gives the blocks back to the pool.</summary>
    public void Release()
    {
        pool.Release(_blocks);
        _blocks.Clear();
        Reset();
    }
}
