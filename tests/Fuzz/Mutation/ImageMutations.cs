using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using Microsoft.ML.Moe.Tests.ImageClassification;

namespace Microsoft.ML.Moe.Tests.Fuzzing.Mutation;

/// <summary>Changes a list of parts: one of them, or their order and number.</summary>
internal static class PartMutation
{
    /// <summary>Changes it.</summary>
    /// <param name="parts">Is changed.</param>
    /// <param name="change">Changes a part.</param>
    /// <param name="random">What is changed.</param>
    public static void Apply<T>(List<T> parts, Func<T, T> change, Random random)
    {
        var index = random.Next(parts.Count);
        switch (random.Next(8))
        {
            case 0:
                parts.RemoveAt(index);
                break;
            case 1:
                var part = parts[index];
                for (var more = random.Next(1, random.Next(8) == 0 ? 64 : 3); more > 0; more--)
                    parts.Insert(random.Next(parts.Count + 1), part);
                break;
            case 2:
                var other = random.Next(parts.Count);
                (parts[index], parts[other]) = (parts[other], parts[index]);
                break;
            default:
                parts[index] = change(parts[index]);
                break;
        }
    }
}

/// <summary>Changes chunks of a PNG file, pixels also before they are packed, and makes lengths and checksums fit.</summary>
internal static class PngMutation
{
    private const int SignatureBytes = 8;
    private const int MostPixelBytes = 1 << 18;
    private static readonly string[] Types =
        ["IHDR", "PLTE", "IDAT", "IEND", "tRNS", "gAMA", "iCCP", "zTXt", "iTXt", "tEXt", "eXIf", "acTL", "fcTL", "sRGB"];

    /// <inheritdoc cref="Mutator"/>
    public static byte[] Apply(byte[] content, Random random)
    {
        var chunks = new List<(string Type, byte[] Data)>();
        for (var at = SignatureBytes; at + 12 <= content.Length;)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(content.AsSpan(at));
            if (length < 0 || length > content.Length - at - 12)
                break;
            chunks.Add((Encoding.Latin1.GetString(content, at + 4, 4), content[(at + 8)..(at + 8 + length)]));
            at += 12 + length;
        }

        if (chunks.Count == 0)
            return ByteMutation.Apply(content, random);
        PartMutation.Apply(chunks, chunk => Changed(chunk, random), random);
        return [.. content[..SignatureBytes], .. chunks.SelectMany(c => ImageFiles.PngChunk(Encoding.Latin1.GetBytes(c.Type), c.Data))];
    }

    private static (string, byte[]) Changed((string Type, byte[] Data) chunk, Random random) => random.Next(4) switch
    {
        0 => (Types[random.Next(Types.Length)], chunk.Data),
        1 or 2 when chunk.Type is "IDAT" && Unpacked(chunk.Data) is { } pixels =>
            (chunk.Type, ImageFiles.Packed(ByteMutation.Apply(pixels, random))),
        _ => (chunk.Type, ByteMutation.Apply(chunk.Data, random)),
    };

    private static byte[]? Unpacked(byte[] data)
    {
        try
        {
            using var zlib = new ZLibStream(new MemoryStream(data), CompressionMode.Decompress);
            var pixels = new byte[MostPixelBytes];
            return pixels[..zlib.ReadAtLeast(pixels, pixels.Length, throwOnEndOfStream: false)];
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            return null;
        }
    }
}

/// <summary>Changes segments of a JPEG file, and makes their lengths fit.</summary>
internal static class JpegMutation
{
    private static readonly byte[] Markers = [0xC0, 0xC1, 0xC2, 0xC4, 0xDA, 0xDB, 0xDD, 0xE0, 0xE1, 0xE2, 0xEE, 0xFE, 0xD9, 0xD8];

    /// <inheritdoc cref="Mutator"/>
    public static byte[] Apply(byte[] content, Random random)
    {
        // a segment: its marker, what stands in it, and the data that follow up to the next marker
        var segments = new List<(byte Marker, byte[] Data, byte[] Coded)>();
        for (var at = 2; at + 4 <= content.Length && content[at] == 0xFF;)
        {
            var (marker, length) = (content[at + 1], BinaryPrimitives.ReadUInt16BigEndian(content.AsSpan(at + 2)));
            if (marker == 0xD9 || length < 2 || at + 2 + length > content.Length)
                break;
            var end = at + 2 + length;
            var next = end;
            while (next < content.Length && !IsMarker(content, next))
                next++;
            segments.Add((marker, content[(at + 4)..end], content[end..next]));
            at = next;
        }

        if (segments.Count == 0)
            return ByteMutation.Apply(content, random);
        PartMutation.Apply(segments, segment => Changed(segment, random), random);
        var file = new MemoryStream();
        file.Write([0xFF, 0xD8]);
        foreach (var (marker, data, coded) in segments)
        {
            var kept = data.AsSpan(0, Math.Min(data.Length, ushort.MaxValue - 2));
            file.Write([0xFF, marker, (byte)((kept.Length + 2) >> 8), (byte)(kept.Length + 2), .. kept, .. coded]);
        }

        file.Write([0xFF, 0xD9]);
        return file.ToArray();
    }

    private static bool IsMarker(byte[] content, int at) =>
        content[at] == 0xFF && at + 1 < content.Length && content[at + 1] is not (0 or (>= 0xD0 and <= 0xD7));

    private static (byte, byte[], byte[]) Changed((byte Marker, byte[] Data, byte[] Coded) segment, Random random) => random.Next(4) switch
    {
        0 => (Markers[random.Next(Markers.Length)], segment.Data, segment.Coded),
        1 when segment.Coded.Length > 0 => (segment.Marker, segment.Data, ByteMutation.Apply(segment.Coded, random)),
        _ => (segment.Marker, ByteMutation.Apply(segment.Data, random), segment.Coded),
    };
}

/// <summary>Changes chunks of a WebP file, and makes their lengths fit.</summary>
internal static class RiffMutation
{
    private const int HeaderBytes = 12;
    private static readonly string[] Types = ["VP8 ", "VP8L", "VP8X", "ANIM", "ANMF", "ALPH", "ICCP", "EXIF", "XMP "];

    /// <inheritdoc cref="Mutator"/>
    public static byte[] Apply(byte[] content, Random random)
    {
        var chunks = new List<(string Type, byte[] Data)>();
        for (var at = HeaderBytes; at + 8 <= content.Length;)
        {
            var length = BinaryPrimitives.ReadInt32LittleEndian(content.AsSpan(at + 4));
            if (length < 0 || length > content.Length - at - 8)
                break;
            chunks.Add((Encoding.Latin1.GetString(content, at, 4), content[(at + 8)..(at + 8 + length)]));
            at += 8 + length + length % 2;
        }

        if (chunks.Count == 0)
            return ByteMutation.Apply(content, random);
        PartMutation.Apply(
            chunks,
            chunk => random.Next(5) == 0
                ? (Types[random.Next(Types.Length)], chunk.Data)
                : (chunk.Type, ByteMutation.Apply(chunk.Data, random)),
            random);
        byte[] body =
        [
            .. "WEBP"u8,
            .. chunks.SelectMany(c => (byte[])
            [
                .. Encoding.Latin1.GetBytes(c.Type), .. BitConverter.GetBytes(c.Data.Length), .. c.Data, .. new byte[c.Data.Length % 2],
            ]),
        ];
        return [.. "RIFF"u8, .. BitConverter.GetBytes(body.Length), .. body];
    }
}
