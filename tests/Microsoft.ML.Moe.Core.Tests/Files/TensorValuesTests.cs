using System.Buffers.Binary;
using Microsoft.ML.Moe.Files;

namespace Microsoft.ML.Moe.Tests.Files;

/// <summary>Every type of elements, from a stream and from a mapped file.</summary>
public class TensorValuesTests
{
    public static TheoryData<string, byte[], float[]> Elements => new()
    {
        { "BOOL", [0, 1, 2], [0, 1, 1] },
        { "U8", [0, 7, 255], [0, 7, 255] },
        { "I8", [0, 7, 255, 128], [0, 7, -1, -128] },
        { "I16", [0x34, 0x12, 0xFF, 0xFF], [0x1234, -1] },
        { "U16", [0x34, 0x12, 0xFF, 0xFF], [0x1234, 65535] },
        { "I32", [.. BitConverter.GetBytes(-5), .. BitConverter.GetBytes(1 << 30)], [-5, 1 << 30] },
        { "U32", BitConverter.GetBytes(uint.MaxValue), [4294967296f] },
        { "I64", [.. BitConverter.GetBytes(-5L), .. BitConverter.GetBytes(1L << 40)], [-5, 1099511627776f] },
        { "U64", BitConverter.GetBytes(ulong.MaxValue), [18446744073709551616f] },
        { "F16", [0x00, 0x3C, 0x00, 0xC0, 0xFF, 0x7B, 0x00, 0x7C], [1, -2, 65504, float.PositiveInfinity] },
        { "BF16", [0x80, 0x3F, 0x00, 0xC0, 0x49, 0x40], [1, -2, 3.140625f] },
        { "F32", [.. BitConverter.GetBytes(1.5f), .. BitConverter.GetBytes(float.NaN)], [1.5f, float.NaN] },
        { "F64", [.. BitConverter.GetBytes(-0.1), .. BitConverter.GetBytes(1e300)], [-0.1f, float.PositiveInfinity] },

        // sign, four bits of exponent (bias 7), three of fraction: 0x38 = 1, 0x01 = 2⁻⁹, 0x7E = 1.75·2⁸
        { "F8_E4M3", [0x38, 0xB8, 0x01, 0x08, 0x7E, 0x7F, 0x80], [1, -1, 1 / 512f, 1 / 64f, 448, float.NaN, -0f] },

        // the upper byte of half precision: 0x3C = 1, 0x7B = 1.75·2¹⁵, 0x01 = 2⁻¹⁶
        { "F8_E5M2", [0x3C, 0x7B, 0x7C, 0x7E, 0x01], [1, 57344, float.PositiveInfinity, float.NaN, 1 / 65536f] },
        { "F8_E8M0", [127, 128, 0, 255], [1, 2, 5.877472e-39f, float.NaN] },
        { "F8_E4M3FNUZ", [0x40, 0x7F, 0x80, 0x01], [1, 240, float.NaN, 1 / 1024f] },
        { "F8_E5M2FNUZ", [0x40, 0x7F, 0x80, 0x01], [1, 57344, float.NaN, 1 / 131072f] },
    };

    [Theory]
    [MemberData(nameof(Elements))]
    public void EveryTypeIsReadFromStreamsAndFiles(string type, byte[] data, float[] expected)
    {
        var bytes = FileBytes.Of("x", type, [expected.Length], data);
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["x.safetensors"], bytes);

        Assert.Equal(expected, SafeTensors.Read(new MemoryStream(bytes)).Take("x", [expected.Length]));
        using var files = TensorFiles.Open(folder["x.safetensors"]);
        var tensor = files.Tensors["x"];
        Assert.Equal(type, tensor.Type.NameOf());
        var values = new float[expected.Length];
        files.Read(tensor, 0, values);
        Assert.Equal(expected, values);
        files.Read(tensor, 1, values.AsSpan(0, expected.Length - 1));
        Assert.Equal(expected[1..], values[..^1]);
        Assert.Throws<ArgumentOutOfRangeException>(() => files.Read(tensor, 1, values));
    }

    [Theory]
    [InlineData("F4", 4)]
    [InlineData("F6_E2M3", 3)]
    [InlineData("F6_E3M2", 3)]
    [InlineData("C64", 32)]
    public void TypesThatAreNoNumbersHereAreListedButNotRead(string type, int bytes)
    {
        var count = bytes == 4 ? 8 : 4;
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["x.safetensors"], FileBytes.Of("x", type, [count], new byte[bytes]));

        using var files = TensorFiles.Open(folder["x.safetensors"]);

        Assert.Equal([count], files.Tensors["x"].Shape);
        var error = Assert.Throws<InvalidDataException>(() => files.Read(files.Tensors["x"], 0, new float[1]));
        Assert.Contains(type, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void EveryNumberInHalfPrecisionIsExact()
    {
        var bytes = new byte[2 << 16];
        for (var i = 0; i < 1 << 16; i++)
            BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(2 * i), (ushort)i);
        var values = new float[1 << 16];

        TensorValues.ToSingle(TensorType.F16, bytes, values);

        for (var i = 0; i < values.Length; i++)
        {
            var expected = (float)BitConverter.UInt16BitsToHalf((ushort)i);
            if (float.IsNaN(expected))
                Assert.True(float.IsNaN(values[i]));
            else
                Assert.Equal(BitConverter.SingleToUInt32Bits(expected), BitConverter.SingleToUInt32Bits(values[i]));
        }
    }
}
