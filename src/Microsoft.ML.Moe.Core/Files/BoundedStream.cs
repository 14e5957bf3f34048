namespace Microsoft.ML.Moe.Files;

/// <summary>Reads streams of which nobody knows how long they are.</summary>
internal static class BoundedStream
{
    private const int ChunkBytes = 1 << 16;

    /// <summary>All bytes of a stream; null where it has more than <paramref name="most"/>.</summary>
    public static byte[]? ReadAtMost(Stream stream, int most)
    {
        using var copy = new MemoryStream();
        CopyAtMost(stream, copy, most + 1L);
        return copy.Length <= most ? copy.ToArray() : null;
    }

    /// <summary>Copies a stream up to its end, or <paramref name="most"/> bytes of it.</summary>
    public static void CopyAtMost(Stream from, Stream to, long most)
    {
        var chunk = new byte[ChunkBytes];
        for (int read; most > 0 && (read = from.Read(chunk, 0, (int)Math.Min(chunk.Length, most))) > 0; most -= read)
            to.Write(chunk, 0, read);
    }
}
