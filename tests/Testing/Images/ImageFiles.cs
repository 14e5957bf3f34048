using System.Buffers.Binary;
using System.IO.Compression;
using SkiaSharp;

namespace Microsoft.ML.Moe.Tests.ImageClassification;

/// <summary>Image files of all kinds, made by Skia's encoders where there are some, byte by byte where there are none.</summary>
internal static class ImageFiles
{
    private static readonly byte[] PngSignature = [0x89, .. "PNG\r\n"u8, 0x1A, (byte)'\n'];

    /// <summary>A file of an image of opaque pixels, none like another.</summary>
    public static byte[] Encode(SKEncodedImageFormat format, int width, int height, SKColorType type = SKColorType.Bgra8888)
    {
        using var bitmap = new SKBitmap(width, height, type, SKAlphaType.Opaque);
        for (var y = 0; y < height; y++)
            for (var x = 0; x < width; x++)
                bitmap.SetPixel(x, y, new SKColor((byte)(x * 230 / width), (byte)(y * 230 / height), (byte)((x * 7 + y * 13) % 200)));
        return Encode(bitmap, format);
    }

    /// <summary>A file of a bitmap; lossless but for JPEG.</summary>
    public static byte[] Encode(SKBitmap bitmap, SKEncodedImageFormat format)
    {
        using var pixels = bitmap.PeekPixels();
        using var data = format == SKEncodedImageFormat.Webp
            ? pixels.Encode(new SKWebpEncoderOptions(SKWebpEncoderCompression.Lossless, 100))
            : pixels.Encode(format, 95);
        return data.ToArray();
    }

    /// <summary>A PNG file.</summary>
    /// <param name="width">Pixels in a row.</param>
    /// <param name="height">Rows of pixels.</param>
    /// <param name="depth">Bits of a number.</param>
    /// <param name="colour">0 grey, 2 colours, 4 grey and alpha, 6 colours and alpha.</param>
    /// <param name="rows">Each row's filter and numbers, before they are packed.</param>
    /// <param name="isInterlaced">Whether the rows are those of the seven passes.</param>
    /// <param name="chunks">Chunks before the pixels.</param>
    public static byte[] Png(
        int width, int height, byte depth, byte colour, byte[] rows, bool isInterlaced = false, params ReadOnlySpan<byte[]> chunks)
    {
        byte[] header = [.. BigEndian(width), .. BigEndian(height), depth, colour, 0, 0, (byte)(isInterlaced ? 1 : 0)];
        var file = new MemoryStream();
        file.Write([.. PngSignature, .. PngChunk("IHDR"u8, header)]);
        foreach (var chunk in chunks)
            file.Write(chunk);
        file.Write([.. PngChunk("IDAT"u8, Packed(rows)), .. PngChunk("IEND"u8, [])]);
        return file.ToArray();
    }

    /// <summary>A chunk of a PNG file.</summary>
    public static byte[] PngChunk(ReadOnlySpan<byte> type, byte[] contents)
    {
        byte[] body = [.. type, .. contents];
        return [.. BigEndian(contents.Length), .. body, .. BigEndian((int)Crc(body))];
    }

    /// <summary>Bytes as zlib packs them.</summary>
    public static byte[] Packed(byte[] bytes)
    {
        using var packed = new MemoryStream();
        using (var zlib = new ZLibStream(packed, CompressionLevel.SmallestSize, leaveOpen: true))
            zlib.Write(bytes);
        return packed.ToArray();
    }

    /// <summary>
    /// A JPEG file whose Huffman tables know one code, a 0 bit for the number 0: data of zero bits are an image of one colour.
    /// </summary>
    /// <param name="width">Pixels in a row.</param>
    /// <param name="height">Rows of pixels.</param>
    /// <param name="components">1 grey, 3 colours, 4 inks.</param>
    /// <param name="emptyScans">Scans without data of a progressive file; null for a baseline file.</param>
    public static byte[] Jpeg(int width, int height, int components, int? emptyScans = null)
    {
        var file = new MemoryStream();
        file.Write([0xFF, 0xD8, 0xFF, 0xDB, 0, 67, 0, .. Enumerable.Repeat((byte)1, 64)]);
        file.Write([0xFF, (byte)(emptyScans is null ? 0xC0 : 0xC2), 0, (byte)(8 + 3 * components), 8]);
        file.Write([(byte)(height >> 8), (byte)height, (byte)(width >> 8), (byte)width, (byte)components]);
        for (byte id = 1; id <= components; id++)
            file.Write([id, 0x11, 0]);
        foreach (var table in new byte[] { 0x00, 0x10 })
            file.Write([0xFF, 0xC4, 0, 20, table, 1, .. new byte[16]]);
        if (emptyScans is null)
        {
            file.Write([0xFF, 0xDA, 0, (byte)(6 + 2 * components), (byte)components]);
            for (byte id = 1; id <= components; id++)
                file.Write([id, 0]);
            file.Write([0, 63, 0, .. new byte[(width + 7) / 8 * ((height + 7) / 8) * components / 4 + 1]]);
        }

        for (var scan = 0; scan < emptyScans; scan++)
            file.Write([0xFF, 0xDA, 0, 8, 1, 1, 0, 1, 63, 0x10, 0]);
        file.Write([0xFF, 0xD9]);
        return file.ToArray();
    }

    /// <summary>A JPEG file with an EXIF orientation.</summary>
    public static byte[] Oriented(byte[] jpeg, byte orientation)
    {
        byte[] exif = [.. "Exif\0\0II*\0"u8, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0, 0, 0, 0, 0];
        return [.. jpeg[..2], 0xFF, 0xE1, 0, (byte)(exif.Length + 2), .. exif, .. jpeg[2..]];
    }

    /// <summary>A GIF file whose frames are of one pixel each, red first and then blue, in the corner of a canvas.</summary>
    public static byte[] Gif(int width, int height, int frames)
    {
        var file = new MemoryStream();
        file.Write([.. "GIF89a"u8, (byte)width, (byte)(width >> 8), (byte)height, (byte)(height >> 8), 0x80, 0, 0, 255, 0, 0, 0, 0, 255]);
        for (var frame = 0; frame < frames; frame++)
            file.Write([0x2C, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, (byte)(frame == 0 ? 0x44 : 0x4C), 0x01, 0]);
        file.WriteByte(0x3B);
        return file.ToArray();
    }

    /// <summary>An animated WebP file: a red frame, and others that are blue.</summary>
    public static byte[] AnimatedWebp(int width, int height, int frames)
    {
        var colours = new[] { SKColors.Red, SKColors.Blue }.Select(colour =>
        {
            using var bitmap = new SKBitmap(width, height, SKColorType.Bgra8888, SKAlphaType.Opaque);
            bitmap.Erase(colour);
            byte[] frame = [.. new byte[6], .. Int24(width - 1), .. Int24(height - 1), .. Int24(100), 0, .. Encode(bitmap, SKEncodedImageFormat.Webp)[12..]];
            return (byte[])[.. "ANMF"u8, .. BitConverter.GetBytes(frame.Length), .. frame];
        }).ToArray();
        var body = new MemoryStream();
        body.Write([.. "WEBPVP8X"u8, 10, 0, 0, 0, 2, 0, 0, 0, .. Int24(width - 1), .. Int24(height - 1)]);
        body.Write([.. "ANIM"u8, 6, 0, 0, 0, .. new byte[6]]);
        for (var frame = 0; frame < frames; frame++)
            body.Write(colours[Math.Min(frame, 1)]);
        return [.. "RIFF"u8, .. BitConverter.GetBytes((int)body.Length), .. body.ToArray()];
    }

    /// <summary>A grey BMP file of eight bits a pixel.</summary>
    /// <param name="width">Pixels in a row.</param>
    /// <param name="height">Rows of pixels.</param>
    /// <param name="compression">0 none, 1 run lengths, 4 a JPEG file.</param>
    /// <param name="data">Pixels from the lowest row.</param>
    public static byte[] GreyBmp(int width, int height, int compression, byte[] data)
    {
        const int colours = 256;
        const int start = 54 + 4 * colours;
        var file = new MemoryStream();
        file.Write("BM"u8);
        foreach (var number in new[] { start + data.Length, 0, start, 40, width, height, 1 | (8 << 16), compression, data.Length, 0, 0, colours, 0 })
            file.Write(BitConverter.GetBytes(number));
        for (var grey = 0; grey < colours; grey++)
            file.Write([(byte)grey, (byte)grey, (byte)grey, 0]);
        file.Write(data);
        return file.ToArray();
    }

    private static uint Crc(byte[] bytes)
    {
        var crc = uint.MaxValue;
        foreach (var value in bytes)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++)
                crc = (crc & 1) == 0 ? crc >> 1 : 0xEDB88320 ^ (crc >> 1);
        }

        return ~crc;
    }

    private static byte[] Int24(int value) => [(byte)value, (byte)(value >> 8), (byte)(value >> 16)];

    private static byte[] BigEndian(int value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, value);
        return bytes;
    }
}
