namespace Microsoft.ML.Moe.Tensors;

/// <summary>
/// Numbers in bfloat16 at a fixed address, two bytes each: in memory of their own, or where they lie in a mapped file, which then stays
/// mapped as long as this lives.
/// </summary>
internal sealed unsafe class BFloat16Values
{
    /// <summary>Numbers in somebody else's memory, to be read only.</summary>
    /// <param name="memory">Keeps the memory while it is referred to.</param>
    /// <param name="data">The first number's bits.</param>
    /// <param name="length">How many.</param>
    public BFloat16Values(object memory, ushort* data, int length)
    {
        Memory = memory;
        Data = data;
        Length = length;
    }

    private BFloat16Values(MemoryBlock memory, int length)
        : this(memory, (ushort*)memory.Data, length) => OwnedBytes = sizeof(float) * (long)memory.Length;

    /// <summary>What the numbers lie in: it stays while this is referred to.</summary>
    public object Memory { get; }

    /// <summary>The bits of the first number.</summary>
    public ushort* Data { get; }

    /// <summary>How many numbers.</summary>
    public int Length { get; }

    /// <summary>Bytes of memory taken for them; 0 where they lie in a file.</summary>
    public long OwnedBytes { get; }

    /// <summary>The bits of all numbers, to be used while this is referred to.</summary>
    public ReadOnlySpan<ushort> Bits => new(Data, Length);

    /// <summary>Numbers in memory of their own.</summary>
    /// <param name="length">How many.</param>
    /// <param name="fill">Writes their bits; what is there at first is arbitrary.</param>
    public static BFloat16Values Create(int length, FillBits fill)
    {
        var values = new BFloat16Values(new MemoryBlock((length + 1L) / 2), length);
        fill(new Span<ushort>(values.Data, length));
        GC.KeepAlive(values);
        return values;
    }

    /// <summary>Numbers in memory of their own, as they are given.</summary>
    public static BFloat16Values Copy(ReadOnlySpan<ushort> bits)
    {
        var values = new BFloat16Values(new MemoryBlock((bits.Length + 1L) / 2), bits.Length);
        bits.CopyTo(new Span<ushort>(values.Data, bits.Length));
        GC.KeepAlive(values);
        return values;
    }

    /// <summary>Writes bits of bfloat16 numbers.</summary>
    public delegate void FillBits(Span<ushort> bits);
}
