using System.Buffers.Binary;

namespace Microsoft.ML.Moe.Rows;

/// <summary>
/// Bounds the work of a PNG file's texts, which the decoder unpacks although nobody reads them: a few thousand bytes of the file become
/// megabytes, for each of them. Of pixels it unpacks only what the image's size asks for.
/// </summary>
internal static class PngTexts
{
    /// <summary>Most texts that can be compressed.</summary>
    public const int MaximumTexts = 64;

    private const int SignatureBytes = 8;

    /// <summary>Length and type before a chunk's contents, checksum after.</summary>
    private const int ChunkBytes = 12;

    /// <summary>Checks a file.</summary>
    /// <param name="file">The file; begins with a PNG file's signature.</param>
    /// <exception cref="InvalidDataException">It has too many texts.</exception>
    public static void Check(ReadOnlySpan<byte> file)
    {
        var texts = 0;
        for (long at = SignatureBytes; at + ChunkBytes <= file.Length;)
        {
            var chunk = file[(int)at..];
            var type = chunk.Slice(4, 4);
            if ((type.SequenceEqual("zTXt"u8) || type.SequenceEqual("iTXt"u8)) && ++texts > MaximumTexts)
                throw new InvalidDataException(
                    $"its PNG file has more than {MaximumTexts} texts that must be unpacked. Save it without them");
            at += ChunkBytes + BinaryPrimitives.ReadUInt32BigEndian(chunk);
        }
    }
}
