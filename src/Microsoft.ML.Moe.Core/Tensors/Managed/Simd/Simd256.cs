using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Vectors of 256 bits.</summary>
internal readonly unsafe struct Simd256 : ISimd<Vector256<float>>
{
    public static int Count => Vector256<float>.Count;

    public static bool HasManyRegisters => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(float* source) => Vector256.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadFirst(float* source, int count, Vector256<float> rest = default)
    {
        if (Avx.IsSupported)
            return Vector256.ConditionalSelect(First(count), Avx.MaskLoad(source, First(count)), rest);
        for (var i = 0; i < count; i++)
            rest = rest.WithElement(i, source[i]);
        return rest;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector256<float> x, float* destination) => x.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreFirst(Vector256<float> x, float* destination, int count)
    {
        if (Avx.IsSupported)
        {
            Avx.MaskStore(destination, First(count), x);
            return;
        }

        for (var i = 0; i < count; i++)
            destination[i] = x[i];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadBFloat16(float* source, out Vector256<float> first, out Vector256<float> second)
    {
        var pairs = Vector256.Load((uint*)source);
        first = (pairs << 16).AsSingle();
        second = (pairs & Vector256.Create(BFloat16.Mask)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreBFloat16(Vector256<float> first, Vector256<float> second, float* destination) =>
        ((RoundedBits(first) >>> 16) | (RoundedBits(second) & Vector256.Create(BFloat16.Mask))).Store((uint*)destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void WidenBFloat16(ushort* source, out Vector256<float> first, out Vector256<float> second)
    {
        var (lower, upper) = Vector256.Widen(Vector256.Load(source));
        first = (lower << 16).AsSingle();
        second = (upper << 16).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void WidenInt8(sbyte* source, out Vector256<float> first, out Vector256<float> second)
    {
        if (Avx2.IsSupported)
        {
            first = Vector256.ConvertToSingle(Avx2.ConvertToVector256Int32(source));
            second = Vector256.ConvertToSingle(Avx2.ConvertToVector256Int32(source + 8));
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
    public static Vector256<float> Create(float x) => Vector256.Create(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Broadcast(in float source) => Vector256.Create(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Add(Vector256<float> x, Vector256<float> y) => x + y;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Subtract(Vector256<float> x, Vector256<float> y) => x - y;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Multiply(Vector256<float> x, Vector256<float> y) => x * y;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> MultiplyAdd(Vector256<float> x, Vector256<float> y, Vector256<float> z) =>
        Vector256.MultiplyAddEstimate(x, y, z);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Divide(Vector256<float> x, Vector256<float> y) => x / y;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Sqrt(Vector256<float> x) => Vector256.Sqrt(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Abs(Vector256<float> x) => Vector256.Abs(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Round(Vector256<float> x) => Vector256.Round(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Min(Vector256<float> x, Vector256<float> y) => Vector256.MinNative(x, y);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Max(Vector256<float> x, Vector256<float> y) => Vector256.MaxNative(x, y);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> SelectLess(
        Vector256<float> x, Vector256<float> y, Vector256<float> less, Vector256<float> otherwise) =>
        Vector256.ConditionalSelect(Vector256.LessThan(x, y), less, otherwise);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Scale(Vector256<float> x, Vector256<float> n) =>
        x * ((Vector256.ConvertToInt32Native(n) + Vector256.Create(127)) << 23).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector256<float> x) => Vector256.Sum(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxAcross(Vector256<float> x)
    {
        return Simd128.MaxAcross(Vector128.MaxNative(x.GetLower(), x.GetUpper()));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Keep(Vector256<float> x, uint first, uint step, uint key, uint threshold)
    {
        var bits = Vector256<uint>.Indices * (step * RandomBits.Step) + Vector256.Create(first * RandomBits.Step + key);
        bits ^= bits >>> RandomBits.Shift1;
        bits *= RandomBits.Factor1;
        bits ^= bits >>> RandomBits.Shift2;
        bits *= RandomBits.Factor2;
        bits ^= bits >>> RandomBits.Shift3;
        return Vector256.ConditionalSelect(
            Vector256.GreaterThanOrEqual(bits, Vector256.Create(threshold)).AsSingle(), x, Vector256<float>.Zero);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> First(int count) =>
        Vector256.LessThan(Vector256<int>.Indices, Vector256.Create(count)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> RoundedBits(Vector256<float> x)
    {
        var bits = x.AsUInt32();
        var rounded = bits + Vector256.Create(BFloat16.BelowHalf) + ((bits >>> 16) & Vector256<uint>.One);
        return Vector256.ConditionalSelect(Vector256.Equals(x, x).AsUInt32(), rounded, bits | Vector256.Create(BFloat16.QuietBit));
    }
}
