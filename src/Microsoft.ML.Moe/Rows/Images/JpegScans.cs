using System.Buffers.Binary;

namespace Microsoft.ML.Moe.Rows;

/// <summary>
/// Bounds the work of a JPEG file: a progressive one refines all of its pixels once more in each of its scans, and a scan that changes
/// nothing takes only a few bytes of the file.
/// </summary>
internal static class JpegScans
{
    /// <summary>Most scans. Encoders make about ten; Skia itself gives up at a hundred.</summary>
    public const int MaximumScans = 99;

    /// <summary>Most scans times pixels.</summary>
    public const long MaximumWork = 1L << 30;

    private const byte StartOfScan = 0xDA;
    private const byte EndOfImage = 0xD9;

    /// <summary>
    /// Bytes that take the end marker's place: a decoder looks so far ahead of the last pixel, though no pixel needs them.
    /// </summary>
    private const int LookAhead = 8;

    /// <summary>Checks a file.</summary>
    /// <param name="file">The file; begins with a JPEG file's signature.</param>
    /// <param name="width">Pixels in a row, by its header.</param>
    /// <param name="height">Rows of pixels, by its header.</param>
    /// <returns>
    /// What is to be decoded. A decoder that meets an end marker before the last pixel makes the rest grey and says nothing; without the marker
    /// it says that data are missing. So it is taken off where the image is read in one pass, in which nothing but the marker can follow.
    /// </returns>
    /// <exception cref="InvalidDataException">It has too many scans.</exception>
    public static byte[] Check(byte[] file, int width, int height)
    {
        var allowed = Math.Min(MaximumScans, MaximumWork / ((long)width * height));
        var (scans, isSequential, end) = Walk(file);
        if (scans > allowed)
            throw new InvalidDataException(
                $"its JPEG file has {scans} scans; for {width} × {height} pixels at most {allowed} are decoded. Save it as a baseline JPEG file");
        return scans == 1 && isSequential && end is { } at ? [.. file.AsSpan(0, at), .. new byte[LookAhead]] : file;
    }

    /// <summary>
    /// Counts the scans. Whatever a decoder takes for a marker is taken for one here: between segments it skips to the next one, and in
    /// a scan's data each 0xFF that no 0x00 follows begins one.
    /// </summary>
    /// <returns>Their number, whether each pixel is read once, and where the end marker is; null where there is none.</returns>
    private static (int Scans, bool IsSequential, int? End) Walk(ReadOnlySpan<byte> file)
    {
        var (scans, isSequential) = (0, false);
        for (var at = 2; ;)
        {
            var skipped = file[at..].IndexOf((byte)0xFF);
            if (skipped < 0 || (at += skipped + 1) >= file.Length)
                return (scans, isSequential, null);
            var marker = file[at];
            if (marker == 0xFF)
                continue;
            at++;
            if (marker == EndOfImage)
            {
                // any number of 0xFF may stand before a marker
                var end = at - 2;
                while (file[end - 1] == 0xFF)
                    end--;
                return (scans, isSequential, end);
            }

            if (marker == StartOfScan)
                scans++;
            isSequential |= marker is 0xC0 or 0xC1;

            // no length follows markers below 0xC0, which are no segments, and those between 0xD0 and 0xD8
            if (marker >= 0xC0 && marker is < 0xD0 or > 0xD8 && at + 2 <= file.Length)
                at = Math.Min(file.Length, at + Math.Max(2, (int)BinaryPrimitives.ReadUInt16BigEndian(file[at..])));
        }
    }
}
