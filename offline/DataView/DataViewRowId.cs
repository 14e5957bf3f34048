namespace Microsoft.ML.Data;

public readonly struct DataViewRowId : IComparable<DataViewRowId>, IEquatable<DataViewRowId>
{
    // Odd multipliers keep every step a bijection, so that distinct rows keep distinct ids.
    private static readonly UInt128 s_next = new(0x9E3779B97F4A7C15, 0xF39CC0605CEDC835);
    private static readonly UInt128 s_fork = new(0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9);

    public readonly ulong Low;
    public readonly ulong High;

    public DataViewRowId(ulong low, ulong high)
    {
        Low = low;
        High = high;
    }

    private DataViewRowId(UInt128 value)
        : this((ulong)value, (ulong)(value >> 64))
    {
    }

    private UInt128 Value => new(High, Low);

    public DataViewRowId Fork() => new(UInt128.RotateLeft(Value * s_fork + 1, 27));

    public DataViewRowId Next() => new(UInt128.RotateLeft(Value * s_next + 1, 31));

    public DataViewRowId Combine(DataViewRowId other) =>
        new(UInt128.RotateLeft((UInt128.RotateLeft(Value * s_next, 41) ^ other.Fork().Value) * s_next + 2, 59));

    public int CompareTo(DataViewRowId other) => Value.CompareTo(other.Value);

    public bool Equals(DataViewRowId other) => Low == other.Low && High == other.High;

    public override bool Equals(object obj) => obj is DataViewRowId other && Equals(other);

    public override int GetHashCode() => HashCode.Combine(Low, High);

    public override string ToString() => $"{High:x16}{Low:x16}";
}
