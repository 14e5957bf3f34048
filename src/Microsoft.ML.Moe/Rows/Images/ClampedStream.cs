namespace Microsoft.ML.Moe.Rows;

/// <summary>Bytes in memory, beyond whose end nobody can go: the decoder looks for the end there, and would look for ever beyond.</summary>
internal sealed class ClampedStream(byte[] bytes) : MemoryStream(bytes, writable: false)
{
    public override long Seek(long offset, SeekOrigin loc)
    {
        var start = loc switch { SeekOrigin.Begin => 0, SeekOrigin.Current => Position, _ => Length };
        return Position = Math.Clamp(start + offset, 0, Length);
    }
}
