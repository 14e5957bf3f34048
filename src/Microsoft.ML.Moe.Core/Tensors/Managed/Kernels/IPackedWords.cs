using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>What 32 neighbouring bits of a row of a matrix hold: a float, two numbers in bfloat16 or four in int8.</summary>
internal unsafe interface IPackedWords
{
    /// <summary>Numbers in a word.</summary>
    static abstract int Numbers { get; }

    /// <summary>Where an element lies in memory.</summary>
    void* Address(in Matrix source, int row, int column);

    /// <summary>One number of a row.</summary>
    /// <param name="row">Where the row begins.</param>
    /// <param name="lane">Its number.</param>
    /// <param name="k">The number's.</param>
    float At(void* row, int lane, int k);

    /// <summary>Writes a word of each of some lanes: of its numbers the first to a row of the target, the second to the next, and so on.</summary>
    /// <param name="words">The words.</param>
    /// <param name="lane">Number of the first lane.</param>
    /// <param name="target">First row.</param>
    /// <param name="stride">Distance of the rows.</param>
    void Store(Vector512<float> words, int lane, float* target, int stride);

    /// <inheritdoc cref="Store(Vector512{float}, int, float*, int)"/>
    void Store(Vector256<float> words, int lane, float* target, int stride);

    /// <inheritdoc cref="Store(Vector512{float}, int, float*, int)"/>
    void Store(Vector128<float> words, int lane, float* target, int stride);
}

/// <summary>Floats.</summary>
internal readonly unsafe struct FloatWords : IPackedWords
{
    public static int Numbers => 1;

    public void* Address(in Matrix source, int row, int column) => source.Row(row) + column;

    public float At(void* row, int lane, int k) => ((float*)row)[k];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(Vector512<float> words, int lane, float* target, int stride) => words.Store(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(Vector256<float> words, int lane, float* target, int stride) => words.Store(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(Vector128<float> words, int lane, float* target, int stride) => words.Store(target);
}

/// <summary>Numbers in bfloat16.</summary>
internal readonly unsafe struct BFloat16Words : IPackedWords
{
    public static int Numbers => 2;

    public void* Address(in Matrix source, int row, int column) => source.BFloat16Row(row) + column;

    public float At(void* row, int lane, int k) => BFloat16Row.At((byte*)row + sizeof(ushort) * k);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(Vector512<float> words, int lane, float* target, int stride)
    {
        (words.AsUInt32() << 16).AsSingle().Store(target);
        (words.AsUInt32() & Vector512.Create(BFloat16.Mask)).AsSingle().Store(target + stride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(Vector256<float> words, int lane, float* target, int stride)
    {
        (words.AsUInt32() << 16).AsSingle().Store(target);
        (words.AsUInt32() & Vector256.Create(BFloat16.Mask)).AsSingle().Store(target + stride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(Vector128<float> words, int lane, float* target, int stride)
    {
        (words.AsUInt32() << 16).AsSingle().Store(target);
        (words.AsUInt32() & Vector128.Create(BFloat16.Mask)).AsSingle().Store(target + stride);
    }
}

/// <summary>Numbers in int8.</summary>
/// <param name="scales">The scale of each lane.</param>
internal readonly unsafe struct Int8Words(float* scales) : IPackedWords
{
    private const int TopByte = 24;

    public static int Numbers => 4;

    public void* Address(in Matrix source, int row, int column) => source.Int8Row(row) + column;

    public float At(void* row, int lane, int k) => scales[lane] * ((sbyte*)row)[k];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(Vector512<float> words, int lane, float* target, int stride)
    {
        var (bits, scale) = (words.AsInt32(), Vector512.Load(scales + lane));
        for (var left = TopByte; left >= 0; left -= 8, target += stride)
            (Vector512.ConvertToSingle((bits << left) >> TopByte) * scale).Store(target);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(Vector256<float> words, int lane, float* target, int stride)
    {
        var (bits, scale) = (words.AsInt32(), Vector256.Load(scales + lane));
        for (var left = TopByte; left >= 0; left -= 8, target += stride)
            (Vector256.ConvertToSingle((bits << left) >> TopByte) * scale).Store(target);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(Vector128<float> words, int lane, float* target, int stride)
    {
        var (bits, scale) = (words.AsInt32(), Vector128.Load(scales + lane));
        for (var left = TopByte; left >= 0; left -= 8, target += stride)
            (Vector128.ConvertToSingle((bits << left) >> TopByte) * scale).Store(target);
    }
}
