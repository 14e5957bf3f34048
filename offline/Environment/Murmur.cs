using System.Numerics;
using System.Text;

namespace Microsoft.ML.Offline;

/// <summary>MurmurHash3 (x86, 32 bits).</summary>
internal static class Murmur
{
    internal static uint Round(uint hash, uint chunk) => BitOperations.RotateLeft(hash ^ Scramble(chunk), 13) * 5 + 0xE6546B64;

    internal static uint Finish(uint hash, int length)
    {
        hash ^= (uint)length;
        hash = (hash ^ (hash >> 16)) * 0x85EBCA6B;
        hash = (hash ^ (hash >> 13)) * 0xC2B2AE35;
        return hash ^ (hash >> 16);
    }

    internal static uint Text(uint hash, ReadOnlySpan<char> text)
    {
        var bytes = new byte[Encoding.UTF8.GetMaxByteCount(text.Length)];
        var length = Encoding.UTF8.GetBytes(text, bytes);
        var whole = length & ~3;
        for (var i = 0; i < whole; i += 4)
            hash = Round(hash, BitConverter.ToUInt32(bytes, i));
        uint tail = 0;
        for (var i = whole; i < length; i++)
            tail |= (uint)bytes[i] << (8 * (i - whole));
        return Finish(hash ^ (whole < length ? Scramble(tail) : 0), length);
    }

    private static uint Scramble(uint chunk) => BitOperations.RotateLeft(chunk * 0xCC9E2D51, 15) * 0x1B873593;
}
