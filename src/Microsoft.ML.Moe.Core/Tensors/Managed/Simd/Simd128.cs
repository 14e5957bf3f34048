using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Vectors of 128 bits.</summary>
internal readonly unsafe struct Simd128 : ISimd<Vector128<float>>
{
    public static int Count => Vector128<float>.Count;

    public static bool HasManyRegisters => AdvSimd.IsSupported;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Load(float* source) => Vector128.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> LoadFirst(float* source, int count, Vector128<float> rest = default)
    {
        if (Avx.IsSupported)
            return Vector128.ConditionalSelect(First(count), Avx.MaskLoad(source, First(count)), rest);
        for (var i = 0; i < count; i++)
            rest = rest.WithElement(i, source[i]);
        return rest;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector128<float> x, float* destination) => x.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreFirst(Vector128<float> x, float* destination, int count)
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
    public static void LoadBFloat16(float* source, out Vector128<float> first, out Vector128<float> second)
    {
        var pairs = Vector128.Load((uint*)source);
        first = (pairs << 16).AsSingle();
        second = (pairs & Vector128.Create(BFloat16.Mask)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreBFloat16(Vector128<float> first, Vector128<float> second, float* destination) =>
        ((RoundedBits(first) >>> 16) | (RoundedBits(second) & Vector128.Create(BFloat16.Mask))).Store((uint*)destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void WidenBFloat16(ushort* source, out Vector128<float> first, out Vector128<float> second)
    {
        var (lower, upper) = Vector128.Widen(Vector128.Load(source));
        first = (lower << 16).AsSingle();
        second = (upper << 16).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void WidenInt8(sbyte* source, out Vector128<float> first, out Vector128<float> second)
    {
        if (Sse41.IsSupported)
        {
            first = Vector128.ConvertToSingle(Sse41.ConvertToVector128Int32(source));
            second = Vector128.ConvertToSingle(Sse41.ConvertToVector128Int32(source + 4));
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
    public static Vector128<float> Create(float x) => Vector128.Create(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Broadcast(in float source) => Vector128.Create(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Add(Vector128<float> x, Vector128<float> y) => x + y;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Subtract(Vector128<float> x, Vector128<float> y) => x - y;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Multiply(Vector128<float> x, Vector128<float> y) => x * y;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> MultiplyAdd(Vector128<float> x, Vector128<float> y, Vector128<float> z) =>
        Vector128.MultiplyAddEstimate(x, y, z);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Divide(Vector128<float> x, Vector128<float> y) => x / y;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Sqrt(Vector128<float> x) => Vector128.Sqrt(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Abs(Vector128<float> x) => Vector128.Abs(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Round(Vector128<float> x) => Vector128.Round(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Min(Vector128<float> x, Vector128<float> y) => Vector128.MinNative(x, y);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Max(Vector128<float> x, Vector128<float> y) => Vector128.MaxNative(x, y);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> SelectLess(
        Vector128<float> x, Vector128<float> y, Vector128<float> less, Vector128<float> otherwise) =>
        Vector128.ConditionalSelect(Vector128.LessThan(x, y), less, otherwise);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Scale(Vector128<float> x, Vector128<float> n) =>
        x * ((Vector128.ConvertToInt32Native(n) + Vector128.Create(127)) << 23).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector128<float> x) => Vector128.Sum(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxAcross(Vector128<float> x)
    {
        var largest = x[0];
        for (var i = 1; i < Vector128<float>.Count; i++)
            largest = MathF.Max(largest, x[i]);
        return largest;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Keep(Vector128<float> x, uint first, uint step, uint key, uint threshold)
    {
        var bits = Vector128<uint>.Indices * (step * RandomBits.Step) + Vector128.Create(first * RandomBits.Step + key);
        bits ^= bits >>> RandomBits.Shift1;
        bits *= RandomBits.Factor1;
        bits ^= bits >>> RandomBits.Shift2;
        bits *= RandomBits.Factor2;
        bits ^= bits >>> RandomBits.Shift3;
        return Vector128.ConditionalSelect(
            Vector128.GreaterThanOrEqual(bits, Vector128.Create(threshold)).AsSingle(), x, Vector128<float>.Zero);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> First(int count) =>
        Vector128.LessThan(Vector128<int>.Indices, Vector128.Create(count)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> RoundedBits(Vector128<float> x)
    {
        var bits = x.AsUInt32();
        var rounded = bits + Vector128.Create(BFloat16.BelowHalf) + ((bits >>> 16) & Vector128<uint>.One);
        return Vector128.ConditionalSelect(Vector128.Equals(x, x).AsUInt32(), rounded, bits | Vector128.Create(BFloat16.QuietBit));
    }
}
