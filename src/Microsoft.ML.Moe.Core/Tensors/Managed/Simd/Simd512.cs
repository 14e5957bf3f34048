using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Vectors of 512 bits.</summary>
internal readonly unsafe struct Simd512 : ISimd<Vector512<float>>
{
    public static int Count => Vector512<float>.Count;

    public static bool HasManyRegisters => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(float* source) => Vector512.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadFirst(float* source, int count, Vector512<float> rest = default)
    {
        if (Avx512F.IsSupported)
            return Avx512F.MaskLoad(source, First(count), rest);
        for (var i = 0; i < count; i++)
            rest = rest.WithElement(i, source[i]);
        return rest;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector512<float> x, float* destination) => x.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreFirst(Vector512<float> x, float* destination, int count)
    {
        if (Avx512F.IsSupported)
        {
            Avx512F.MaskStore(destination, First(count), x);
            return;
        }

        for (var i = 0; i < count; i++)
            destination[i] = x[i];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadBFloat16(float* source, out Vector512<float> first, out Vector512<float> second)
    {
        var pairs = Vector512.Load((uint*)source);
        first = (pairs << 16).AsSingle();
        second = (pairs & Vector512.Create(BFloat16.Mask)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreBFloat16(Vector512<float> first, Vector512<float> second, float* destination) =>
        ((RoundedBits(first) >>> 16) | (RoundedBits(second) & Vector512.Create(BFloat16.Mask))).Store((uint*)destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void WidenBFloat16(ushort* source, out Vector512<float> first, out Vector512<float> second)
    {
        var (lower, upper) = Vector512.Widen(Vector512.Load(source));
        first = (lower << 16).AsSingle();
        second = (upper << 16).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void WidenInt8(sbyte* source, out Vector512<float> first, out Vector512<float> second)
    {
        if (Avx512F.IsSupported)
        {
            first = Vector512.ConvertToSingle(Avx512F.ConvertToVector512Int32(Vector128.Load(source)));
            second = Vector512.ConvertToSingle(Avx512F.ConvertToVector512Int32(Vector128.Load(source + 16)));
            return;
        }

        first = default;
        second = default;
        for (var i = 0; i < Count; i++)
        {
            first = first.WithElement(i, source[i]);
            second = second.WithElement(i, source[Count + i]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Create(float x) => Vector512.Create(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Broadcast(in float source) => Vector512.Create(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Add(Vector512<float> x, Vector512<float> y) => x + y;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Subtract(Vector512<float> x, Vector512<float> y) => x - y;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Multiply(Vector512<float> x, Vector512<float> y) => x * y;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> MultiplyAdd(Vector512<float> x, Vector512<float> y, Vector512<float> z) =>
        Vector512.MultiplyAddEstimate(x, y, z);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Divide(Vector512<float> x, Vector512<float> y) => x / y;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Sqrt(Vector512<float> x) => Vector512.Sqrt(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Abs(Vector512<float> x) => Vector512.Abs(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Round(Vector512<float> x) => Vector512.Round(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Min(Vector512<float> x, Vector512<float> y) => Vector512.MinNative(x, y);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Max(Vector512<float> x, Vector512<float> y) => Vector512.MaxNative(x, y);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> SelectLess(
        Vector512<float> x, Vector512<float> y, Vector512<float> less, Vector512<float> otherwise) =>
        Vector512.ConditionalSelect(Vector512.LessThan(x, y), less, otherwise);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Scale(Vector512<float> x, Vector512<float> n) => Avx512F.IsSupported
        ? Avx512F.Scale(x, n)
        : x * ((Vector512.ConvertToInt32Native(n) + Vector512.Create(127)) << 23).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector512<float> x) => Vector512.Sum(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxAcross(Vector512<float> x)
    {
        return Simd256.MaxAcross(Vector256.MaxNative(x.GetLower(), x.GetUpper()));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Keep(Vector512<float> x, uint first, uint step, uint key, uint threshold)
    {
        var bits = Vector512<uint>.Indices * (step * RandomBits.Step) + Vector512.Create(first * RandomBits.Step + key);
        bits ^= bits >>> RandomBits.Shift1;
        bits *= RandomBits.Factor1;
        bits ^= bits >>> RandomBits.Shift2;
        bits *= RandomBits.Factor2;
        bits ^= bits >>> RandomBits.Shift3;
        return Vector512.ConditionalSelect(
            Vector512.GreaterThanOrEqual(bits, Vector512.Create(threshold)).AsSingle(), x, Vector512<float>.Zero);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> First(int count) =>
        Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(count)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> RoundedBits(Vector512<float> x)
    {
        var bits = x.AsUInt32();
        var rounded = bits + Vector512.Create(BFloat16.BelowHalf) + ((bits >>> 16) & Vector512<uint>.One);
        return Vector512.ConditionalSelect(Vector512.Equals(x, x).AsUInt32(), rounded, bits | Vector512.Create(BFloat16.QuietBit));
    }
}
