using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Files;

/// <summary>Elements of files as single-precision numbers.</summary>
internal static class TensorValues
{
    private static readonly float[] E4M3 = Table(exponentBits: 4, bias: 7, code => code == 0x7F);
    private static readonly float[] E4M3Fnuz = Table(exponentBits: 4, bias: 8, _ => false);
    private static readonly float[] E5M2Fnuz = Table(exponentBits: 5, bias: 16, _ => false);

    /// <summary>Whether the elements can be read as numbers: all but four- and six-bit and complex ones.</summary>
    public static bool IsReadable(TensorType type) =>
        type is not (TensorType.F4 or TensorType.F6E2M3 or TensorType.F6E3M2 or TensorType.C64);

    /// <summary>
    /// Converts little-endian elements. Exact for every type of at most 32 bits but I32 and U32, which are rounded to the nearest, as
    /// those of 64 bits are.
    /// </summary>
    /// <param name="type">A type that <see cref="IsReadable"/>.</param>
    /// <param name="bytes">The elements, as many as there is room for.</param>
    /// <param name="values">Receives the numbers.</param>
    public static void ToSingle(TensorType type, ReadOnlySpan<byte> bytes, Span<float> values)
    {
        switch (type)
        {
            case TensorType.F32 when BitConverter.IsLittleEndian:
                MemoryMarshal.Cast<byte, float>(bytes)[..values.Length].CopyTo(values);
                break;
            case TensorType.BF16 when BitConverter.IsLittleEndian:
                BFloat16.Widen(MemoryMarshal.Cast<byte, ushort>(bytes)[..values.Length], values);
                break;
            case TensorType.F16 when BitConverter.IsLittleEndian:
                Float16.Widen(MemoryMarshal.Cast<byte, ushort>(bytes)[..values.Length], values);
                break;
            default:
                var size = type.BitsOf() / 8;
                for (var i = 0; i < values.Length; i++)
                    values[i] = One(type, bytes.Slice(i * size, size));
                break;
        }
    }

    /// <summary>The bits of little-endian two-byte elements.</summary>
    public static void ToBits(ReadOnlySpan<byte> bytes, Span<ushort> bits)
    {
        MemoryMarshal.Cast<byte, ushort>(bytes)[..bits.Length].CopyTo(bits);
        if (!BitConverter.IsLittleEndian)
            BinaryPrimitives.ReverseEndianness(bits, bits);
    }

    /// <summary>Little-endian elements of bits.</summary>
    public static void FromBits(ReadOnlySpan<ushort> bits, Span<byte> bytes)
    {
        var target = MemoryMarshal.Cast<byte, ushort>(bytes)[..bits.Length];
        bits.CopyTo(target);
        if (!BitConverter.IsLittleEndian)
            BinaryPrimitives.ReverseEndianness(target, target);
    }

    /// <summary>Little-endian elements of numbers.</summary>
    public static void FromSingle(ReadOnlySpan<float> values, Span<byte> bytes)
    {
        var target = MemoryMarshal.Cast<byte, int>(bytes)[..values.Length];
        MemoryMarshal.Cast<float, int>(values).CopyTo(target);
        if (!BitConverter.IsLittleEndian)
            BinaryPrimitives.ReverseEndianness(target, target);
    }

    private static float One(TensorType type, ReadOnlySpan<byte> bytes) => type switch
    {
        TensorType.Bool => bytes[0] == 0 ? 0f : 1f,
        TensorType.U8 => bytes[0],
        TensorType.I8 => (sbyte)bytes[0],
        TensorType.F8E5M2 => (float)BitConverter.UInt16BitsToHalf((ushort)(bytes[0] << 8)),
        TensorType.F8E4M3 => E4M3[bytes[0]],
        TensorType.F8E8M0 => bytes[0] == 0xFF ? float.NaN : float.ScaleB(1f, bytes[0] - 127),
        TensorType.F8E4M3Fnuz => E4M3Fnuz[bytes[0]],
        TensorType.F8E5M2Fnuz => E5M2Fnuz[bytes[0]],
        TensorType.I16 => BinaryPrimitives.ReadInt16LittleEndian(bytes),
        TensorType.U16 => BinaryPrimitives.ReadUInt16LittleEndian(bytes),
        TensorType.F16 => (float)BinaryPrimitives.ReadHalfLittleEndian(bytes),
        TensorType.BF16 => BitConverter.UInt32BitsToSingle((uint)BinaryPrimitives.ReadUInt16LittleEndian(bytes) << 16),
        TensorType.I32 => BinaryPrimitives.ReadInt32LittleEndian(bytes),
        TensorType.U32 => BinaryPrimitives.ReadUInt32LittleEndian(bytes),
        TensorType.F32 => BinaryPrimitives.ReadSingleLittleEndian(bytes),
        TensorType.F64 => (float)BinaryPrimitives.ReadDoubleLittleEndian(bytes),
        TensorType.I64 => BinaryPrimitives.ReadInt64LittleEndian(bytes),
        TensorType.U64 => BinaryPrimitives.ReadUInt64LittleEndian(bytes),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Such elements are no single numbers."),
    };

    // A byte's sign, exponent and fraction. The types without infinities have their one code that is no number at minus zero (…FNUZ) or
    // where all bits but the sign are set.
    private static float[] Table(int exponentBits, int bias, Func<int, bool> isNoNumber)
    {
        var fractionBits = 7 - exponentBits;
        var table = new float[256];
        for (var code = 0; code < table.Length; code++)
        {
            var exponent = (code & 0x7F) >> fractionBits;
            var fraction = code & ((1 << fractionBits) - 1);
            var value = exponent == 0
                ? float.ScaleB(fraction, 1 - bias - fractionBits)
                : float.ScaleB(fraction + (1 << fractionBits), exponent - bias - fractionBits);
            table[code] = isNoNumber(code & 0x7F) ? float.NaN : code < 0x80 ? value : -value;
        }

        if (!isNoNumber(0x7F))
            table[0x80] = float.NaN;
        return table;
    }
}
