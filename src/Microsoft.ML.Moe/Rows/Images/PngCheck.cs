using System.Buffers.Binary;
using System.IO.Compression;

namespace Microsoft.ML.Moe.Rows;

/// <summary>
/// Checks what a decoder of PNG files takes on trust: that chunks end within the file, and that pixels do not unpack to more than the
/// image's size asks for.
/// </summary>
internal static class PngCheck
{
    private const int SignatureBytes = 8;

    /// <summary>Length and type before a chunk's contents, checksum after.</summary>
    private const int ChunkBytes = 12;

    /// <summary>Checks a file.</summary>
    /// <param name="file">The file; begins with a PNG's signature.</param>
    /// <param name="width">Pixels in a row, by its header.</param>
    /// <param name="height">Rows of pixels, by its header.</param>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    public static void Check(byte[] file, int width, int height)
    {
        using var packed = new MemoryStream();
        for (var start = SignatureBytes; ;)
        {
            if (file.Length - start < ChunkBytes)
                throw new InvalidDataException("its file ends early");
            var length = BinaryPrimitives.ReadUInt32BigEndian(file.AsSpan(start));
            var type = file.AsSpan(start + 4, 4);
            if (length > file.Length - start - ChunkBytes)
                throw new InvalidDataException("a part of its file is longer than the file");
            if (type.SequenceEqual("IEND"u8))
                break;
            if (type.SequenceEqual("IDAT"u8))
                packed.Write(file, start + ChunkBytes - 4, (int)length);
            start += ChunkBytes + (int)length;
        }

        packed.Position = 0;
        CheckUnpacked(packed, width, height);
    }

    private static void CheckUnpacked(MemoryStream packed, long width, long height)
    {
        // at most four channels of 16 bits, and for each row of each of seven passes the kind of its filter
        var left = 8 * width * height + 2 * (height + 7);
        using var unpacked = new ZLibStream(packed, CompressionMode.Decompress);
        var buffer = new byte[1 << 14];
        for (int read; (read = unpacked.Read(buffer)) > 0;)
            if ((left -= read) < 0)
                throw new InvalidDataException("its pixels are more than its size tells");
    }
}
