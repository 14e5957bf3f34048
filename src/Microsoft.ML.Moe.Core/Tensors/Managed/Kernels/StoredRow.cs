using System.Runtime.CompilerServices;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>A row in memory of a matrix in bfloat16 or int8.</summary>
internal unsafe interface IStoredRow
{
    /// <summary>Bytes of an element.</summary>
    static abstract int Bytes { get; }

    /// <summary>Loads two vectors of neighbouring elements.</summary>
    static abstract void Load<TSimd, TVector>(byte* source, out TVector first, out TVector second)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct;

    /// <summary>One element.</summary>
    static abstract float At(byte* source);
}

/// <summary>Elements in bfloat16.</summary>
internal readonly unsafe struct BFloat16Row : IStoredRow
{
    public static int Bytes => sizeof(ushort);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load<TSimd, TVector>(byte* source, out TVector first, out TVector second)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.WidenBFloat16((ushort*)source, out first, out second);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float At(byte* source) => BitConverter.UInt32BitsToSingle((uint)*(ushort*)source << 16);
}

/// <summary>Elements in int8, without their scale.</summary>
internal readonly unsafe struct Int8Row : IStoredRow
{
    public static int Bytes => sizeof(sbyte);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load<TSimd, TVector>(byte* source, out TVector first, out TVector second)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.WidenInt8((sbyte*)source, out first, out second);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float At(byte* source) => *(sbyte*)source;
}
