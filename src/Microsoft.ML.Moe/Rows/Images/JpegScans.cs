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

    /// <summary>Checks a file.</summary>
    /// <param name="file">The file; begins with a JPEG file's signature.</param>
    /// <param name="width">Pixels in a row, by its header.</param>
    /// <param name="height">Rows of pixels, by its header.</param>
    /// <exception cref="InvalidDataException">It has too many scans.</exception>
    public static void Check(ReadOnlySpan<byte> file, int width, int height)
    {
        var allowed = Math.Min(MaximumScans, MaximumWork / ((long)width * height));
        if (Count(file) is var scans && scans > allowed)
            throw new InvalidDataException(
                $"its JPEG file has {scans} scans; for {width} × {height} pixels at most {allowed} are decoded. Save it as a baseline JPEG file");
    }

    /// <summary>
    /// Counts the scans. Whatever a decoder takes for a marker is taken for one here: between segments it skips to the next one, and in
    /// a scan's data each 0xFF that no 0x00 follows begins one.
    /// </summary>
    private static int Count(ReadOnlySpan<byte> file)
    {
        var scans = 0;
        for (var at = 2; ;)
        {
            var skipped = file[at..].IndexOf((byte)0xFF);
            if (skipped < 0 || (at += skipped + 1) >= file.Length)
                return scans;
            var marker = file[at];
            if (marker == 0xFF)
                continue;
            at++;
            if (marker == EndOfImage)
                return scans;
            if (marker == StartOfScan)
                scans++;

            // no length follows markers below 0xC0, which are no segments, and those between 0xD0 and 0xD8
            if (marker >= 0xC0 && marker is < 0xD0 or > 0xD8 && at + 2 <= file.Length)
                at = Math.Min(file.Length, at + Math.Max(2, (int)BinaryPrimitives.ReadUInt16BigEndian(file[at..])));
        }
    }
}
