using System.Buffers.Binary;

namespace Microsoft.ML.Moe.Rows;

/// <summary>How a BMP file is compressed.</summary>
internal static class BmpCompression
{
    private const int PlaceOfHeaderLength = 14;
    private const int PlaceOfCompression = 30;
    private const int OldHeaderLength = 12;

    /// <summary>Whether a file is compressed in a way that no decoder here knows: the header is fine, which else would be blamed.</summary>
    /// <param name="file">The file.</param>
    /// <param name="format">What it is by its first bytes.</param>
    public static bool IsUnknown(ReadOnlySpan<byte> file, ImageFormat format) => format == ImageFormat.Bmp
        && file.Length >= PlaceOfCompression + sizeof(int)
        && BinaryPrimitives.ReadInt32LittleEndian(file[PlaceOfHeaderLength..]) > OldHeaderLength
        && BinaryPrimitives.ReadInt32LittleEndian(file[PlaceOfCompression..]) != 0;
}
